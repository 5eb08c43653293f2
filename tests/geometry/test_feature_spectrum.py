"""The spectrum of standardized features."""

import math

import pytest
import torch

from monai_cortex.geometry.feature_spectrum import feature_power


def test_power_is_half_at_the_corner():
    power = feature_power(20)
    assert power.shape == (21,)
    assert power.dtype == torch.float64
    assert power[0].item() == pytest.approx(0.12)
    assert power[10].item() == pytest.approx(0.06)
    assert power[20].item() == pytest.approx(0.12 / 17)


def test_power_falls_and_does_not_depend_on_the_largest_degree():
    power = feature_power(40)
    assert (power.diff() < 0).all()
    assert (power > 0).all()
    assert torch.equal(feature_power(7), power[:8])


def test_power_adds_up_to_about_that_of_a_standardized_map():
    """Whose mean square of 1 is 4 pi over the harmonics; degrees up to 20 hold nearly all of it."""
    power = feature_power(20)
    total = ((2 * torch.arange(21) + 1) * power)[1:].sum().item() / (4 * math.pi)
    assert 0.7 < total < 1.4
