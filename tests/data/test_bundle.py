import json
import sys

import pytest

from monai_cortex.data import bundle_folder, bundle_identity, read_metadata
from monai_cortex.errors import BundleError


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "some_bundle"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "1.2.3"}))
    (folder / "configs" / "train.json").write_text("{}")
    return folder


@pytest.mark.parametrize("form", ["{0}/configs/train.json", "['{0}/configs/train.json','{0}/configs/other.json']"])
def test_bundle_of_the_running_config_is_found_from_anywhere(bundle, tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path / "..")
    monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", "--config_file", form.format(bundle)])
    assert bundle_folder("some_bundle") == str(bundle)


def test_bundle_in_the_working_folder_is_found(bundle, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.chdir(bundle)
    assert bundle_folder("some_bundle") == str(bundle)


def test_unpacked_version_of_a_bundle_is_found(bundle, monkeypatch):
    versioned = bundle.rename(bundle.with_name("some_bundle_v1.2.3"))
    monkeypatch.chdir(versioned)
    assert bundle_folder("some_bundle") == str(versioned)


def test_config_of_another_bundle_does_not_answer(bundle, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", f"{bundle}/configs/train.json"])
    with pytest.raises(BundleError, match="other_bundle") as caught:
        bundle_folder("other_bundle")
    assert "--bundle_root" in str(caught.value)


def test_shipped_bundle_is_found_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.chdir(tmp_path)
    assert read_metadata(bundle_folder("shd_deconvolution"))["name"].startswith("Spatio-hemispherical")


def test_metadata_are_read(bundle):
    assert read_metadata(bundle) == {"version": "1.2.3"}


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_damaged_metadata_are_named(bundle, text):
    (bundle / "configs" / "metadata.json").write_text(text)
    with pytest.raises(BundleError, match=r"metadata\.json"):
        read_metadata(bundle)


def test_missing_metadata_are_named(tmp_path):
    with pytest.raises(BundleError, match=r"metadata\.json"):
        read_metadata(tmp_path)


def test_bundle_says_what_it_is(bundle, tmp_path):
    versioned = bundle.rename(bundle.with_name("some_bundle_v1.2.3"))
    assert bundle_identity(versioned) == {"bundle": "some_bundle", "version": "1.2.3"}
    assert bundle_identity(tmp_path)["version"] == "unknown"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Neither the working folder nor the command line says where a bundle is."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", ["pytest"])


@pytest.mark.usefixtures("elsewhere")
def test_bundle_inside_the_package_of_a_method_is_found_without_importing_it(distribution):
    metadata = "their_package/bundles/their_bundle/configs/metadata.json"
    files = {"their_package/__init__.py": "raise RuntimeError", metadata: "{}"}
    folder = distribution("theirs", {"methods": "their_method = their_package.method:method"}, files)
    assert bundle_folder("their_bundle") == str(folder / "their_package" / "bundles" / "their_bundle")
    assert "their_package" not in sys.modules


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("target", ["no_such_package:method", ":method", "not a name:x", "json:method"])
def test_broken_method_does_not_hide_the_bundles_of_others(distribution, target):
    distribution("broken", {"methods": f"broken = {target}"})
    metadata = "their_package/bundles/their_bundle/configs/metadata.json"
    files = {"their_package/__init__.py": "", metadata: "{}"}
    distribution("theirs", {"methods": "their_method = their_package:method"}, files)
    assert bundle_folder("their_bundle").endswith("their_bundle")
    with pytest.raises(BundleError, match="other_bundle"):
        bundle_folder("other_bundle")
