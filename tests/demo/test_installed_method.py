import sys

import pytest

from monai_cortex.demo import DEMONSTRATIONS, demonstrations
from monai_cortex.demo.installed_method import installed_demonstration
from monai_cortex.errors import BundleError, PluginError

MODULE = """
from monai_cortex.plugins import Method

method = Method("their_method", "what it does", "torch.nn.Linear", "their_bundle", "doi:10.1000/1")
"""


@pytest.fixture
def theirs(distribution, tmp_path, monkeypatch):
    """A method of another distribution; its commands are printed and do nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "true")
    groups = {"methods": "their_method = their_package:method"}
    metadata = "their_package/bundles/their_bundle/configs/metadata.json"
    return distribution("theirs", groups, {"their_package/__init__.py": MODULE, metadata: "{}"})


def test_bundle_of_another_distribution_is_run_on_its_samples(theirs, tmp_path, capfd):
    assert list(demonstrations()) == [*DEMONSTRATIONS, "their_method"]
    found = demonstrations()["their_method"]()
    found.run(tmp_path / "out", "sqlite:///x.db")
    text = capfd.readouterr().out
    config = "installed/their_package/bundles/their_bundle/configs"
    assert "what it does" in found.data
    assert f"$ python -m monai.bundle run --config_file {config}/inference.json --output_dir {tmp_path}/out" in text
    assert text.count("$ python") == 1
    assert found.finding({"subject": "s1"}).quantity == "results of s1"


def test_method_without_its_bundle_says_so(theirs, tmp_path):
    (theirs / "their_package/bundles/their_bundle/configs/metadata.json").unlink()
    with pytest.raises(BundleError, match="their_bundle"):
        installed_demonstration("their_method").run(tmp_path, "sqlite:///x.db")
    with pytest.raises(PluginError, match="their_methods"):
        installed_demonstration("their_methods")
