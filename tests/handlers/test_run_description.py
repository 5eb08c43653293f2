import json
import os
import subprocess

import pytest
from ignite.engine import Engine
from monai.bundle import ConfigParser

from monai_cortex.handlers import run_description, seed_everything
from monai_cortex.handlers.run_description import describe, describe_data, executed_config, git_revision


@pytest.fixture
def engine():
    return Engine(lambda *_: None)


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "slug" / "configs").mkdir(parents=True)
    (tmp_path / "slug" / "configs" / "metadata.json").write_text(json.dumps({"name": "Display", "version": "1.2.3"}))
    return tmp_path / "slug"


def test_config_in_every_form(tmp_path):
    config = {"epochs": 3}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(config))
    for form in (config, ConfigParser(config), file, str(file)):
        assert executed_config(form)["epochs"] == 3
    assert executed_config(tmp_path / "missing.json") == executed_config(None) == {}


def test_bundle_folder_names_bundle_and_version(bundle, engine):
    tags = describe({"seed": 7}, bundle, engine, None)
    assert (tags["bundle"], tags["bundle_version"], tags["seed"]) == ("slug", "1.2.3", "7")
    assert tags["pid"] == str(os.getpid())
    assert set(tags) == {"bundle", "bundle_version", "git_revision", "device", "seed", "data", "host", "pid"}


def test_metadata_in_the_config_stand_in(tmp_path, engine):
    seed_everything(11)
    tags = describe({"_meta_": {"name": "Display", "version": "2.0.0"}}, tmp_path, engine, None)
    assert (tags["bundle"], tags["bundle_version"], tags["seed"]) == ("Display", "2.0.0", "11")
    assert describe({}, tmp_path, engine, None)["bundle"] == "unknown"


def test_given_tags_go_before_and_hold_no_path(tmp_path, engine):
    tags = describe(
        {"dataset_dir": "/data/Doe"}, tmp_path, engine, {"bundle": "mine", "where": tmp_path, "data": "/a/Doe"}
    )
    assert (tags["bundle"], tags["where"]) == ("mine", "<path>")
    assert "Doe" not in str(tags)


def test_data_are_told_apart_and_not_told(tmp_path):
    folders = [tmp_path / name for name in ("Doe", "samples")]
    for folder in folders:
        (folder / f"sub-{folder.name}").mkdir(parents=True)
    own = describe_data({"dataset_dir": str(folders[0])}, "slug", tmp_path)
    assert "Doe" not in str(own)
    assert (own["name"], own["source"], len(own["digest"])) == ("slug data", "dataset_dir", 12)
    shipped = describe_data({"dataset_dir": {"_target_": "a.b"}}, "slug", tmp_path)
    assert (shipped["name"], shipped["source"]) == ("slug samples", "samples")
    assert shipped["digest"] != own["digest"]
    assert describe_data({}, "slug", tmp_path) is None


def test_device_is_the_engines(training, tmp_path):
    assert describe({}, tmp_path, training().trainer, None)["device"] == "cpu"


def test_revision_of_a_checkout(tmp_path, monkeypatch):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words], capture_output=True, text=True, check=True
        )

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    for place, expected in ((tmp_path, git("rev-parse", "HEAD").stdout.strip()), (tmp_path / "venv", "unknown")):
        place.mkdir(exist_ok=True)
        monkeypatch.setattr(run_description, "_CHECKOUT", place)
        git_revision.cache_clear()
        assert git_revision() == expected
    git_revision.cache_clear()
