"""Weights that are damaged, dangerous or of another network: each is refused as a whole, or loaded as a whole."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from monai_cortex.errors import CheckpointError
from monai_cortex.handlers import load_weights
from monai_cortex.handlers.weights_record import write_weights

BUNDLES = Path(__file__).parents[2] / "bundles"


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def refused(path, *words, **options):
    """The message; the network that was to be loaded is what it was."""
    target = network()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(target, path, **options)
    text = str(caught.value)
    assert str(path) in text
    assert len(text.splitlines()) <= 5
    assert all(word in text for word in words), text
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


@pytest.fixture
def state():
    torch.manual_seed(1)
    return dict(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).state_dict())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_pickle_with_code(tmp_path, zipped):
    marker = tmp_path / "ran"
    torch.save({"a": Runs(marker)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "a.pt", "unsafe content", "nothing of it was run")
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [{"a": np.float64(1)}, {"a": Path("a")}, network()], ids=["numpy", "path", "module"]
)
def test_more_than_tensors(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "unsafe content", "torch.save(network.state_dict(), path)")


DAMAGE = {
    "truncated": lambda good: good[: len(good) // 2],
    "one byte short": lambda good: good[:-1],
    "empty": lambda good: b"",
    "web page": lambda good: b"<!DOCTYPE html><html></html>",
    "pointer of Git LFS": lambda good: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "zeros": lambda good: bytes(len(good)),
}


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "bare"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file(tmp_path, state, damage, recorded):
    path = tmp_path / "model.pt"
    write_weights(path, state)
    digest = json.loads((tmp_path / "model.pt.json").read_text())["sha256"]
    if not recorded:
        (tmp_path / "model.pt.json").unlink()
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    size = path.stat().st_size
    refused(path, "damaged", *([digest, f"{size} bytes"] if recorded else [f"{size} bytes"] if size else ["empty"]))


def test_any_flipped_bit_of_recorded_weights(tmp_path, state, rounds):
    path, chance = tmp_path / "model.pt", random.Random(0)
    write_weights(path, state)
    good = path.read_bytes()
    for _ in range(rounds(25, 200)):
        bad, place = bytearray(good), chance.randrange(len(good))
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        refused(path, "sha256")


def test_flipped_bits_without_a_record_never_change_weights(tmp_path, state, rounds):
    """Some lie in parts of the archive that nobody reads; the others are found by its checksums."""
    path, chance = tmp_path / "model.pt", random.Random(1)
    write_weights(path, state)
    (tmp_path / "model.pt.json").unlink()
    good, found = path.read_bytes(), 0
    for _ in range(rounds(25, 200)):
        bad, place = bytearray(good), chance.randrange(len(good))
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        target = network()
        try:
            load_weights(target, path)
        except CheckpointError:
            found += 1
        else:
            assert all(torch.equal(value, state[name]) for name, value in target.state_dict().items())
    assert found


def test_shipped_weights_have_their_record():
    weights = sorted(BUNDLES.glob("*/models/*.pt"))
    assert len(weights) >= 6
    for path in weights:
        record = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert record["bundle"] == path.parents[1].name
        assert len(record["sha256"]) == 64


def test_every_config_that_loads_weights_knows_its_bundle():
    """So that no command loads weights of another method, or parts of them."""
    found = 0
    for path in sorted(BUNDLES.glob("*/configs/*.json")):
        for part in json.loads(path.read_text()).values():
            if isinstance(part, dict) and str(part.get("_target_")).endswith("load_weights"):
                found += 1
                assert (part["path"], part["bundle_root"]) == ("@weights", "@bundle_root"), path
    assert found == 5


def test_prefix_of_distributed_training(tmp_path, state, caplog):
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "a.pt")
    target = load_weights(network(), tmp_path / "a.pt")
    assert all(torch.equal(value, state[name]) for name, value in target.state_dict().items())
    assert "prefix 'module.'" in caplog.text


OTHER = {
    "renamed": lambda s: {f"net.{name}": value for name, value in s.items()},
    "no name in common": lambda s: {f"x{number}": value for number, value in enumerate(s.values())},
    "one prefixed": lambda s: {("module." if name == "0.weight" else "") + name: v for name, v in s.items()},
    "no norm": lambda s: {name: value for name, value in s.items() if not name.startswith("1.")},
    "one too many": lambda s: {**s, "3.weight": torch.ones(1)},
}


@pytest.mark.parametrize("change", OTHER)
def test_names_of_another_network(tmp_path, state, change):
    torch.save(OTHER[change](state), tmp_path / "a.pt")
    refused(tmp_path / "a.pt", f"of {len(state)} entries match", "missing", "unknown")


def test_wrong_key_around_the_weights(tmp_path, state):
    torch.save({"weights": state}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "no weights", "network or model or state_dict")


def test_another_shape(tmp_path, state):
    torch.save({**state, "0.weight": torch.ones(4, 2)}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "0.weight of shape (4, 2)", "shape (3, 2)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path, state, value):
    torch.save({**state, "0.bias": torch.full((3,), value)}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "0.bias")


def test_integer_weights(tmp_path, state):
    torch.save({**state, "0.weight": torch.ones(3, 2, dtype=torch.int64)}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "torch.int64", "torch.float32")


@pytest.mark.parametrize("width", [torch.float16, torch.bfloat16, torch.float64])
def test_another_float_width(tmp_path, state, caplog, width):
    torch.save({k: v.to(width) if v.is_floating_point() else v for k, v in state.items()}, tmp_path / "a.pt")
    target = load_weights(network(), tmp_path / "a.pt")
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight.detach(), state["0.weight"].to(width).float())
    assert f"{width} is cast" in caplog.text


def test_weights_of_another_method(tmp_path, state):
    write_weights(tmp_path / "model.pt", state, BUNDLES / "fsdiffreg_cardiac")
    own = {"bundle_root": BUNDLES / "shd_deconvolution"}
    refused(tmp_path / "model.pt", "fsdiffreg_cardiac 0.", "shd_deconvolution 0.", **own)
    load_weights(network(), tmp_path / "model.pt", bundle_root=BUNDLES / "fsdiffreg_cardiac")
