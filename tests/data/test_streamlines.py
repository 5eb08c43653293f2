import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data import read_streamlines, write_streamlines
from monai_cortex.errors import InputFileError

OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([-2.0, 2.5, 3]), [1, -20, 3])
SHAPE = (10, 11, 12)
NAMES = ("a.trk", "a.tck")


@pytest.fixture
def lines():
    chance = np.random.default_rng(0)
    return [30 * chance.normal(size=(count, 3)).astype(np.float32) for count in (2, 5, 1, 40)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-2.0, 2, 3, 1]), OBLIQUE], ids=["RAS", "LAS", "oblique"])
def test_streamlines_read_back(tmp_path, lines, name, affine):
    write_streamlines(tmp_path / name, lines, affine, SHAPE)
    found = read_streamlines(tmp_path / name)
    assert [line.shape for line in found] == [line.shape for line in lines]
    for line, expected in zip(found, lines, strict=True):
        assert line.dtype == np.float32
        np.testing.assert_allclose(line, expected, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_no_streamlines_read_back(tmp_path, name):
    write_streamlines(tmp_path / name, [], OBLIQUE, SHAPE)
    assert read_streamlines(tmp_path / name) == []


def test_trackvis_header_is_that_of_the_image(tmp_path, lines):
    write_streamlines(tmp_path / "a.trk", lines, OBLIQUE, (*SHAPE, 6))
    header = nib.streamlines.load(tmp_path / "a.trk", lazy_load=True).header
    np.testing.assert_allclose(header["voxel_to_rasmm"], OBLIQUE, atol=1e-6)
    assert header["dimensions"].tolist() == list(SHAPE)
    np.testing.assert_allclose(header["voxel_sizes"], [2, 2.5, 3], rtol=1e-6)
    assert header["voxel_order"] == b"LAS"


@pytest.mark.skipif(shutil.which("tckinfo") is None, reason="MRtrix is not installed")
def test_mrtrix_counts_the_streamlines(tmp_path, lines):
    write_streamlines(tmp_path / "a.tck", lines, OBLIQUE, SHAPE)
    command = ["tckinfo", "-count", str(tmp_path / "a.tck")]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "actual count in file: 4" in report


@pytest.mark.parametrize("name", NAMES)
def test_equal_streamlines_are_equal_files(tmp_path, lines, name):
    contents = []
    for folder in ("first", "second"):
        write_streamlines(tmp_path / folder / name, lines, OBLIQUE, SHAPE)
        contents.append((tmp_path / folder / name).read_bytes())
        assert [path.name for path in (tmp_path / folder).iterdir()] == [name]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", NAMES)
def test_failed_write_keeps_the_old_file(tmp_path, lines, name, monkeypatch):
    write_streamlines(tmp_path / name, lines, OBLIQUE, SHAPE)
    old = (tmp_path / name).read_bytes()
    kind = nib.streamlines.TrkFile if name == "a.trk" else nib.streamlines.TckFile

    def stop(self, path):
        with open(path, "wb") as stream:
            stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        write_streamlines(tmp_path / name, lines[:1], OBLIQUE, SHAPE)
    assert (tmp_path / name).read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "points", "affine", "message"),
    [
        ("a.vtk", np.ones((3, 3)), OBLIQUE, r"\.trk or \.tck"),
        ("a.trk", np.ones((3, 3)), np.diag([1.0, 0, 1, 1]), "invertible affine"),
        ("a.tck", np.ones((3, 2)), OBLIQUE, r"points \(P, 3\)"),
        ("a.tck", np.ones((0, 3)), OBLIQUE, r"points \(P, 3\)"),
        ("a.tck", np.full((2, 3), np.nan), OBLIQUE, "finite points"),
    ],
)
def test_what_no_file_can_hold_is_refused(tmp_path, name, points, affine, message):
    with pytest.raises(ValueError, match=message):
        write_streamlines(tmp_path / name, [points], affine, SHAPE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.03, 0.7, 0.99])
def test_file_cut_short_is_refused(tmp_path, lines, name, share):
    path = tmp_path / name
    write_streamlines(path, lines, OBLIQUE, SHAPE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputFileError, match="streamlines cannot be read") as caught:
        read_streamlines(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_pointer_are_named(tmp_path):
    with pytest.raises(InputFileError, match=r"a\.tck"):
        read_streamlines(tmp_path / "a.tck")
    (tmp_path / "a.tck").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputFileError, match="Git LFS pointer"):
        read_streamlines(tmp_path / "a.tck")
