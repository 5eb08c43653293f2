"""From a folder and from a server; what goes wrong, case by case, is in tests/faults."""

import json
import socket

import pytest

from monai_cortex.errors import BundleError
from monai_cortex.zoo.fetch import fetch_bundle
from monai_cortex.zoo.index import write_index
from monai_cortex.zoo.pack import pack_bundle

NAME = "tiny_image_segmentation"


@pytest.fixture
def published(write_bundle, tmp_path):
    pack_bundle(write_bundle(tmp_path / "made"), tmp_path / "out")
    write_index(tmp_path / "out")
    return tmp_path / "out"


def test_folder_needs_no_network(published, write_bundle, tmp_path, tree, monkeypatch):
    def no_network(*_):
        raise AssertionError("the network was asked")

    write_index(published, "https://example.org/somewhere")
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    folder = fetch_bundle(NAME, str(published), tmp_path / "dest")
    assert tree(folder) == tree(tmp_path / "made" / NAME)
    assert fetch_bundle(NAME, str(published), tmp_path / "dest") == folder


def test_server_with_index_and_single_archive(published, serve, tmp_path, tree):
    with serve(published) as address:
        write_index(published, address)
        first = fetch_bundle(NAME, address, tmp_path / "a")
        second = fetch_bundle(NAME, f"{address}/{NAME}_v1.0.0.zip", tmp_path / "b")
    assert tree(first) == tree(second)


def test_index_may_lie_beside_the_archives(published, tmp_path):
    (published / "models" / "model_info.json").rename(published / "model_info.json")
    assert fetch_bundle(NAME, str(published), tmp_path / "dest").is_dir()


@pytest.mark.parametrize("place", ["file:///x", "ftp://example.org"])
def test_other_schemes_are_refused(place, tmp_path):
    with pytest.raises(BundleError, match="http, https or from a folder"):
        fetch_bundle(NAME, place, tmp_path)


def test_archive_alone_needs_a_digest(published, tmp_path):
    (published / "models" / "model_info.json").unlink()
    with pytest.raises(BundleError, match="--sha256"):
        fetch_bundle(NAME, str(published / f"{NAME}_v1.0.0.zip"), tmp_path / "dest")


def test_archive_of_another_version_than_listed(published, tmp_path):
    path = published / "models" / "model_info.json"
    index = json.loads(path.read_text())
    index[f"{NAME}_v2.0.0"] = index.pop(f"{NAME}_v1.0.0")
    path.write_text(json.dumps(index))
    (published / f"{NAME}_v1.0.0.zip").rename(published / f"{NAME}_v2.0.0.zip")
    with pytest.raises(BundleError, match="another version"):
        fetch_bundle(NAME, str(published), tmp_path / "dest")
    assert not (tmp_path / "dest").exists()
