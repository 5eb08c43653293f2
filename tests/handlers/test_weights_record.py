import json

import pytest
import torch

from monai_cortex.errors import CheckpointError
from monai_cortex.handlers.weights_record import read_weights, require_own_bundle, write_weights


@pytest.fixture
def bundle(tmp_path):
    def make(name, version):
        folder = tmp_path / name
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / "metadata.json").write_text(json.dumps({"version": version}))
        return folder

    return make


def test_weights_come_with_their_record(tmp_path, bundle):
    own = bundle("ours", "1.0.0")
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)}, own)
    record = json.loads((tmp_path / "model.pt.json").read_text())
    assert {name: record[name] for name in ("bundle", "version")} == {"bundle": "ours", "version": "1.0.0"}
    assert torch.equal(read_weights(tmp_path / "model.pt", bundle_root=own)["a"], torch.ones(2))


def test_weights_of_another_bundle_are_refused(tmp_path, bundle):
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)}, bundle("theirs", "2.1.0"))
    with pytest.raises(CheckpointError, match="theirs 2.1.0") as caught:
        read_weights(tmp_path / "model.pt", bundle_root=bundle("ours", "1.0.0"))
    assert "ours 1.0.0" in str(caught.value)


def test_checkpoint_of_another_bundle_is_refused_without_a_record(tmp_path, bundle):
    torch.save({"network": {}, "bundle": {"bundle": "theirs", "version": "1"}}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="theirs 1"):
        read_weights(tmp_path / "checkpoint.pt", bundle_root=bundle("ours", "1.0.0"))
    assert "network" in read_weights(tmp_path / "checkpoint.pt")


def test_another_version_is_told(bundle, caplog):
    require_own_bundle({"bundle": "ours", "version": "0.9.0"}, bundle("ours", "1.0.0"), "model.pt")
    assert "version 0.9.0" in caplog.text
    require_own_bundle({}, bundle("other", "1.0.0"), "model.pt")


def test_a_renamed_folder_is_the_same_bundle(tmp_path, bundle):
    own = bundle("ours", "1.0.0")
    (own / "configs" / "metadata.json").write_text(json.dumps({"name": "A method", "version": "1.0.0"}))
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)}, own)
    renamed = own.rename(tmp_path / "renamed")
    assert torch.equal(read_weights(tmp_path / "model.pt", bundle_root=renamed)["a"], torch.ones(2))


def test_digest_of_the_record_is_compared(tmp_path):
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)})
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="sha256"):
        read_weights(tmp_path / "model.pt")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": 3}'])
def test_damaged_record_is_told(tmp_path, content):
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)})
    (tmp_path / "model.pt.json").write_text(content)
    with pytest.raises(CheckpointError, match="record of the weights"):
        read_weights(tmp_path / "model.pt")


def test_an_old_record_never_stands_beside_new_weights(tmp_path, monkeypatch):
    write_weights(tmp_path / "model.pt", {"a": torch.ones(2)})
    monkeypatch.setattr("monai_cortex.handlers.weights_record.write_sidecar", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_weights(tmp_path / "model.pt", {"a": torch.zeros(2)})
    assert torch.equal(read_weights(tmp_path / "model.pt")["a"], torch.zeros(2))
