import copy
import logging
import math

import pytest
import torch
from torch import nn

from monai_cortex.errors import CheckpointError
from monai_cortex.handlers import load_weights
from monai_cortex.handlers.weights import bare_network, first_nonfinite


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


@pytest.fixture
def file(tmp_path):
    """Save weights of a random network, changed by a function."""

    def save(change=lambda state: state):
        state = dict(network().state_dict())
        result = change(state)
        torch.save(state if result is None else result, tmp_path / "a.pt")
        return tmp_path / "a.pt", state

    return save


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s,
        lambda s: {"network": s},
        lambda s: {"model": s, "epoch": 3},
        lambda s: {"state_dict": s},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"network": {f"module._orig_mod.{k}": v for k, v in s.items()}},
    ],
)
def test_weights_are_loaded_in_every_wrapping(file, change):
    path, state = file(change)
    target = network()
    assert load_weights(target, path) is target
    for name, value in target.state_dict().items():
        assert torch.equal(value, state[name])


def test_another_float_width_is_cast_and_recorded(file, caplog):
    path, state = file(lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()})
    target = network()
    with caplog.at_level(logging.WARNING):
        load_weights(target, path)
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight.detach(), state["0.weight"].half().float())
    assert "float16 is cast" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {f"old.{k}": v for k, v in s.items()},
            r"0 of 9 entries match; missing 0.bias, 0.weight, 1.bias, \.\.\.;",
        ),
        (lambda s: {"unet": s}, "holds no weights"),
        (lambda s: {k: v for k, v in s.items() if not k.startswith("1.")}, "4 of 9 entries match; missing 1.bias"),
        (lambda s: {**s, "extra": torch.ones(1)}, "9 of 9 entries match; missing none; unknown extra"),
        (lambda s: {**s, "0.weight": torch.ones(3, 4)}, r"0.weight of shape \(3, 4\)\n  expected: shape \(3, 2\)"),
        (lambda s: {**s, "0.weight": torch.ones(3, 2).long()}, "0.weight as torch.int64"),
        (lambda s: {**s, "0.weight": torch.full((3, 2), math.nan)}, "NaN or infinity in 0.weight"),
        (lambda s: {**s, "1.running_var": torch.full((3,), math.inf)}, "NaN or infinity in 1.running_var"),
        (lambda s: [1, 2], "holds no weights"),
        (lambda s: torch.ones(2), "holds no weights"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_the_network_stays(file, change, message):
    path, _ = file(change)
    target = network()
    before = copy.deepcopy(target.state_dict())
    with pytest.raises(CheckpointError, match=message) as caught:
        load_weights(target, path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 5
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_wrapped_networks_are_unwrapped():
    inner = network()
    assert bare_network(nn.DataParallel(inner)) is inner
    assert bare_network(torch.compile(inner)) is inner
    holder = nn.Module()
    holder.module = inner
    assert bare_network(holder) is holder


def test_first_nonfinite_names_the_tensor():
    assert first_nonfinite({"a": torch.ones(2), "b": torch.tensor([1, 2])}) is None
    assert first_nonfinite({"a": torch.ones(2), "b": torch.tensor([1, -math.inf])}) == "b"


@pytest.mark.parametrize("path", [None, "null"])
def test_weights_may_be_left_out_where_that_is_asked_for(path):
    network = nn.Linear(2, 2)
    before = network.weight.clone()
    assert load_weights(network, path, optional=True) is network
    assert torch.equal(network.weight, before)
    with pytest.raises(CheckpointError):
        load_weights(network, path)
