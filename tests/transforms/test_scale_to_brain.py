"""Intensities between -1 and 1, whatever a single voxel does."""

import pytest
import torch

from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import ScaleToBrain, ScaleToBrainD, ScaleToBraind, ScaleToBrainDict

SHAPE = (1, 24, 24, 24)


@pytest.fixture
def head():
    """Signals 20 to 120 within a ball of 8 mm, dark fluid around it, bright fat far away."""
    index = torch.stack(torch.meshgrid(*[torch.arange(24.0) - 11.5] * 3, indexing="ij"), -1)
    distance = index.norm(dim=-1)[None] - 8
    signal = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 100 + 20
    image = torch.where(distance < 0, signal, torch.full(SHAPE, 5.0))
    image[distance > 6] = 1000.0
    return image, distance


def test_range_is_filled_by_the_brain(head):
    scaled, (low, high) = ScaleToBrain()(*head)
    assert scaled.shape == SHAPE
    assert (scaled.min(), scaled.max()) == (-1, 1)
    assert (low, high) == (pytest.approx(5.0), pytest.approx(119.5, abs=1))
    inside = head[1] < 0
    expected = ((head[0] - low) / (high - low) * 2 - 1).clamp(-1, 1)
    torch.testing.assert_close(scaled[inside], expected[inside])


def test_one_bright_voxel_changes_nothing_else(head):
    image, distance = head
    before, _ = ScaleToBrain()(image, distance)
    other = image.clone()
    other[0, 11, 11, 11] = 1e6
    after, _ = ScaleToBrain()(other, distance)
    elsewhere = torch.ones(SHAPE, dtype=torch.bool)
    elsewhere[0, 11, 11, 11] = False
    assert (before - after)[elsewhere].abs().max() < 0.01
    assert after[0, 11, 11, 11] == 1


def test_scanner_gain_and_offset_do_not_matter(head):
    image, distance = head
    torch.testing.assert_close(
        ScaleToBrain()(image, distance)[0], ScaleToBrain()(3 * image + 40, distance)[0], atol=1e-4, rtol=0
    )


def test_mere_grid_becomes_zero(head):
    scaled, extremes = ScaleToBrain()(torch.full(SHAPE, 3.0), head[1])
    assert not scaled.any()
    assert extremes == (0, 1)


def test_pair_agrees(head):
    image, distance = head
    data = {"image": image, "pial_distance": distance, "other": 1}

    def scaled(data):
        return {name: value for name, value in ScaleToBraind()(data).items() if name in data}

    assert_pair_agrees(lambda image: ScaleToBrain()(image, distance)[0], scaled, data, "image")
    assert ScaleToBraind()(data)["intensity_range"] == ScaleToBrain()(image, distance)[1]
    assert ScaleToBraind("none", allow_missing_keys=True)(data).keys() >= data.keys()
    assert ScaleToBrainD is ScaleToBrainDict is ScaleToBraind
