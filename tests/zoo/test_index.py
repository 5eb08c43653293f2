"""The index is what MONAI's client and ours read."""

import hashlib
import json

import pytest

from monai_cortex.data import sha256
from monai_cortex.errors import BundleError
from monai_cortex.zoo.index import find_release, write_index
from monai_cortex.zoo.pack import pack_bundle

NAME = "tiny_image_segmentation"


@pytest.fixture
def folder(write_bundle, tmp_path):
    for version in ("1.9.0", "1.10.0"):
        pack_bundle(write_bundle(tmp_path / version, version=version), tmp_path / "out")
    return tmp_path / "out"


def test_index_has_monais_shape_and_is_repeatable(folder):
    path = write_index(folder, "https://example.org/bundles-v1/")
    index, before = json.loads(path.read_text()), path.read_bytes()
    archive = folder / f"{NAME}_v1.9.0.zip"
    record = index[f"{NAME}_v1.9.0"]
    assert path == folder / "models" / "model_info.json"
    assert record["checksum"] == hashlib.sha1(archive.read_bytes()).hexdigest()
    assert record["source"] == f"https://example.org/bundles-v1/{archive.name}"
    assert (record["sha256"], record["size"]) == (sha256(archive), archive.stat().st_size)
    assert write_index(folder, "https://example.org/bundles-v1/").read_bytes() == before


def test_latest_is_by_number(folder):
    index = json.loads(write_index(folder).read_text())
    assert find_release(index, NAME, "", "x").version == "1.10.0"
    assert find_release(index, NAME, "1.9.0", "x").source == f"{NAME}_v1.9.0.zip"


@pytest.mark.parametrize(("name", "version"), [("other_name", ""), (NAME, "3.0.0")])
def test_unknown_bundle_names_those_that_are_there(folder, name, version):
    index = json.loads(write_index(folder).read_text())
    with pytest.raises(BundleError, match="tiny_image_segmentation_v1.10.0"):
        find_release(index, name, version, "x")


def test_incomplete_record():
    with pytest.raises(BundleError, match="incomplete"):
        find_release({f"{NAME}_v1.0.0": {"checksum": "x", "source": "y"}}, NAME, "", "x")


def test_archives_that_cannot_be_listed(folder, tmp_path):
    with pytest.raises(BundleError, match="no archive"):
        write_index(tmp_path)
    (folder / "other.zip").write_bytes(b"x")
    with pytest.raises(BundleError, match="not named"):
        write_index(folder)
    (folder / "other.zip").rename(folder / "a_b_v1.0.0.zip")
    with pytest.raises(BundleError, match="damaged"):
        write_index(folder)
