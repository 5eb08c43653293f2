"""Distances as input of networks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_cortex.errors import ConfigError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    ClipScaleDistance,
    ClipScaleDistanceD,
    ClipScaleDistanced,
    ClipScaleDistanceDict,
)


def test_scale_becomes_one():
    assert ClipScaleDistance(4.0)(torch.tensor([-9.0, -4, -1, 0, 2, 4, 5])).tolist() == [-1, -1, -0.25, 0, 0.5, 1, 1]


@given(st.floats(0.1, 50), st.floats(-100, 100))
def test_odd_and_bounded(scale, distance):
    value = torch.tensor(distance, dtype=torch.float64)
    found = ClipScaleDistance(scale)(value)
    assert found.abs() <= 1
    assert found == -ClipScaleDistance(scale)(-value)
    assert abs(distance) > scale or found.item() == pytest.approx(distance / scale)


def test_affine_stays():
    affine = torch.diag(torch.tensor([2.0, 2, 2, 1], dtype=torch.float64))
    assert torch.equal(ClipScaleDistance()(MetaTensor(torch.ones(1, 2, 2, 2), affine=affine)).affine, affine)


def test_pair_agrees():
    data = {"white": torch.arange(-3.0, 9), "pial": torch.zeros(2), "other": 1}
    assert_pair_agrees(ClipScaleDistance(3), ClipScaleDistanced(["white", "pial"], 3), data, "white", "pial")
    assert ClipScaleDistanced("none", allow_missing_keys=True)(data).keys() == data.keys()
    assert ClipScaleDistanceD is ClipScaleDistanceDict is ClipScaleDistanced


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_scale_must_be_positive(scale):
    with pytest.raises(ConfigError, match="scale_mm"):
        ClipScaleDistance(scale)
