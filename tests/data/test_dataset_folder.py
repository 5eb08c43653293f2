"""Folders of subjects, as every list of subjects sees them."""

import pytest

from monai_cortex.data.dataset_folder import no_subject, subject_folders
from monai_cortex.errors import InputFileError


def holds(place):
    return (place / "scan").exists()


def test_visible_sub_folders_come_sorted(tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert subject_folders(tmp_path, holds, "scans") == (tmp_path, [tmp_path / "a", tmp_path / "b"])


def test_folder_that_is_a_subject_stands_alone(tmp_path):
    (tmp_path / "scan").touch()
    (tmp_path / "a").mkdir()
    assert subject_folders(str(tmp_path), holds, "scans") == (tmp_path, [tmp_path])


@pytest.mark.parametrize(("name", "found"), [("missing", "nothing"), ("file", "a file")])
def test_what_is_no_folder_is_refused(tmp_path, name, found):
    (tmp_path / "file").touch()
    with pytest.raises(InputFileError, match=f"found: {found}"):
        subject_folders(tmp_path / name, holds, "scans")


def test_error_counts_the_folders_and_says_what_none_has(tmp_path):
    error = str(no_subject(tmp_path, [tmp_path] * 3, "a scan", "folders with scans"))
    assert "3 sub-folders, none with a scan" in error
    assert "folders with scans" in error
