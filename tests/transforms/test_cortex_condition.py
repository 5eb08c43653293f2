"""Channels that a network draws an image from."""

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import CortexCondition, CortexConditionD, CortexConditiond, CortexConditionDict

SHAPE = (1, 5, 6, 7)


@pytest.fixture
def fields():
    generator = torch.Generator().manual_seed(0)
    drawn = {
        name: 8 * torch.randn(SHAPE, generator=generator) for name in ("pial_distance", "white_distance", "cortex")
    }
    marks = {name: torch.randn(SHAPE, generator=generator).sign() for name in ("edges", "ribbon")}
    return drawn | marks


def test_channels_are_pial_white_edges_ribbon(fields):
    source, condition = CortexCondition()(fields)
    scaled = {name: (fields[name] / 5).clamp(-1, 1) for name in ("pial_distance", "white_distance", "cortex")}
    torch.testing.assert_close(source, scaled["cortex"])
    expected = [scaled["pial_distance"], scaled["white_distance"], fields["edges"], fields["ribbon"]]
    torch.testing.assert_close(condition, torch.cat(expected))


@pytest.mark.parametrize("aux", [("ribbon",), ("white", "pial"), ("edges", "ribbon", "pial")])
def test_channels_are_in_the_order_asked_for(fields, aux):
    every = dict(zip(("pial", "white", "edges", "ribbon"), CortexCondition()(fields)[1], strict=True))
    assert torch.equal(CortexCondition(aux)(fields)[1], torch.stack([every[name] for name in aux]))


def test_zero_stays_zero_and_the_scale_is_fixed():
    fields = {"cortex": torch.tensor([-40.0, -2.5, 0.0, 1.0, 40.0]).reshape(1, 1, 1, 5)}
    assert CortexCondition(())(fields)[0].flatten().tolist() == pytest.approx([-1, -0.5, 0, 0.2, 1])
    assert CortexCondition((), 10.0)(fields)[0].flatten().tolist() == pytest.approx([-1, -0.25, 0, 0.1, 1])


def test_no_channels_give_no_condition(fields):
    assert CortexCondition(())(fields)[1] is None
    assert "condition" not in CortexConditiond(aux=())(fields)


def test_edges_of_each_surface_are_channels_of_their_own(fields):
    two = torch.cat([fields["edges"], -fields["edges"]])
    assert CortexCondition(("edges", "ribbon"))({**fields, "edges": two})[1].shape == (3, *SHAPE[1:])


def test_pair_agrees(fields):
    data = {**fields, "source": None, "condition": None, "other": 1}

    def of(number):
        return lambda _: CortexCondition()(fields)[number]

    for number, name in enumerate(("source", "condition")):
        assert torch.equal(CortexConditiond()(data)[name], of(number)(None))

    def one(data):
        return {**data, "source": CortexConditiond()(data)["source"]}

    assert_pair_agrees(of(0), one, data, "source")
    assert CortexConditionD is CortexConditionDict is CortexConditiond


@pytest.mark.parametrize(
    ("options", "match"), [((("gray",),), "gray"), ((("pial", "pial"),), "pial"), (((), 0.0), "0")]
)
def test_bad_channels_and_scales_are_refused(options, match):
    for kind in (CortexCondition, lambda *given: CortexConditiond("cortex", *given)):
        with pytest.raises((ValueError, ConfigError), match=match):
            kind(*options)
