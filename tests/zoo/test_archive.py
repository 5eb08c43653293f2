"""A good archive is unpacked as it is; each hostile one is in tests/faults."""

import zipfile

import pytest

from monai_cortex.errors import BundleError
from monai_cortex.zoo.archive import checked_members, unpack


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("b/", "")
        packed.writestr("b/c/", "")
        packed.writestr("b/c/d.txt", "text")
        packed.writestr("b/e.bin", bytes(range(256)) * 100)
    return path


def test_files_come_out(archive, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    unpack(archive, "b", folder)
    assert (folder / "c" / "d.txt").read_text() == "text"
    assert (folder / "e.bin").read_bytes() == bytes(range(256)) * 100
    assert not (folder / "c" / "d.txt").stat().st_mode & 0o111


@pytest.mark.parametrize("limits", [{"size": 100}, {"files": 3}])
def test_limits_hold_before_anything_is_written(archive, tmp_path, limits):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(BundleError, match="too m"):
        unpack(archive, "b", folder, **limits)
    assert list(folder.iterdir()) == []


def test_members_are_files_of_the_root(archive):
    with zipfile.ZipFile(archive) as packed:
        assert [m.filename for m in checked_members(packed, archive, "b", 10**6, 10)] == ["b/c/d.txt", "b/e.bin"]
        with pytest.raises(BundleError, match="outside"):
            checked_members(packed, archive, "other", 10**6, 10)
