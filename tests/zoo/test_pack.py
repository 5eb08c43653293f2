"""Equal files give equal bytes, in the form that the stock client unpacks."""

import os
import shutil
import zipfile

import pytest

from monai_cortex.errors import BundleError
from monai_cortex.zoo.pack import pack_bundle, version_of


def test_same_files_give_the_same_bytes(write_bundle, tmp_path):
    first = write_bundle(tmp_path / "a")
    second = shutil.copytree(first, tmp_path / "b" / first.name)
    for path in sorted(second.rglob("*"), reverse=True):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o755 if path.is_dir() else 0o600)
    (second / "eval").mkdir()
    (second / "eval" / "out.json").write_text("{}")
    (second / "docs" / "__pycache__").mkdir()
    (second / "docs" / "__pycache__" / "x.pyc").write_text("x")
    archives = [pack_bundle(bundle, tmp_path / out) for bundle, out in ((first, "x"), (second, "y"))]
    assert archives[0].name == "tiny_image_segmentation_v1.0.0.zip"
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as packed:
        names = packed.namelist()
    assert names == sorted(names)
    assert {name.split("/")[0] for name in names} == {first.name}
    assert f"{first.name}/models/model.pt" in names


def test_a_version_has_one_content(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    archive = pack_bundle(bundle, tmp_path / "out")
    assert pack_bundle(bundle, tmp_path / "out") == archive
    before = archive.read_bytes()
    (bundle / "docs" / "README.md").write_text("changed\n")
    with pytest.raises(BundleError, match="another archive of this version"):
        pack_bundle(bundle, tmp_path / "out")
    assert [archive.read_bytes(), *(path.name for path in archive.parent.iterdir())] == [before, archive.name]


def test_version_needs_metadata_and_changelog(write_bundle, tmp_path):
    assert version_of(write_bundle(tmp_path)) == "1.0.0"
    with pytest.raises(BundleError, match="changelog"):
        version_of(write_bundle(tmp_path / "b", "metadata", changelog={"0.9.0": "old"}))
    with pytest.raises(BundleError, match="metadata cannot be read"):
        version_of(tmp_path)
