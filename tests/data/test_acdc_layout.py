"""Info.cfg, and the files of two frames."""

import pytest

from monai_cortex.data.acdc_layout import frame_files, read_phases
from monai_cortex.errors import InputFileError

GOOD = "ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"


@pytest.fixture
def info(tmp_path):
    def write(text):
        (tmp_path / "Info.cfg").write_text(text)
        return tmp_path / "Info.cfg"

    return write


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("\n", "\r\n"), "ES=12\nED = 1"])
def test_frames_are_read(info, text):
    assert read_phases(info(text)) == (1, 12)


@pytest.mark.parametrize("text", ["Group: DCM", "ED: 1", "ED: 1\nES: 0", "ED: 1\nES: 1", "ED: 1\nED: 2\nES: 3"])
def test_frames_that_cannot_be(info, refused, text):
    path = info(text)
    refused(InputFileError, lambda: read_phases(path, "patient001"), path, "patient001", "frame")


def test_missing_and_binary_file(tmp_path, refused):
    refused(InputFileError, lambda: read_phases(tmp_path / "Info.cfg"), "Info.cfg")
    (tmp_path / "Info.cfg").write_bytes(b"ED: 1\0")
    refused(InputFileError, lambda: read_phases(tmp_path / "Info.cfg"), "binary")


def test_files_of_a_frame(tmp_path):
    place = tmp_path / "patient007"
    place.mkdir()
    assert frame_files(place, 3) == (place / "patient007_frame03.nii.gz", None)
    (place / "patient007_frame03.nii").write_text("")
    (place / "patient007_frame03_gt.nii.gz").write_text("")
    assert frame_files(place, 3) == (place / "patient007_frame03.nii", place / "patient007_frame03_gt.nii.gz")
    # The compressed one first, and never a folder of that name.
    (place / "patient007_frame03.nii.gz").mkdir()
    assert frame_files(place, 3)[0] == place / "patient007_frame03.nii"
