"""Intensities between -1 and 1, judged by what is image."""

import pytest
import torch

from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import (
    ScaleValidIntensity,
    ScaleValidIntensityD,
    ScaleValidIntensityd,
    ScaleValidIntensityDict,
)

SHAPE = (1, 20, 20, 10)


@pytest.fixture
def image():
    """Intensities 0, 1, ... 2999 in 3000 voxels; 9999 in the padding."""
    values = torch.arange(4000.0).reshape(SHAPE)
    valid = (values < 3000).float()
    return torch.where(valid > 0, values, torch.tensor(9999.0)), valid


def test_extremes_become_the_ends(image):
    scaled = ScaleValidIntensity("minmax")(*image)
    inside = image[1] > 0
    torch.testing.assert_close(scaled[inside], torch.linspace(-1, 1, 3000), atol=1e-5, rtol=0)
    assert (scaled[~inside] == -1).all()


def test_percentiles_become_the_ends(image):
    scaled = ScaleValidIntensity("robust", (10, 80))(*image)
    expected = ((torch.arange(3000.0) - 299.9) / (0.7 * 2999) * 2 - 1).clamp(-1, 1)
    torch.testing.assert_close(scaled[image[1] > 0], expected, atol=1e-5, rtol=0)


def test_one_bright_voxel_changes_nothing_else(image):
    values, valid = image
    other = values.clone()
    other[0, 5, 5, 5] = 1e6
    difference = (ScaleValidIntensity()(other, valid) - ScaleValidIntensity()(values, valid)).abs()
    difference[0, 5, 5, 5] = 0
    assert difference.max() < 2e-3


@pytest.mark.parametrize("mode", ["robust", "minmax"])
def test_gain_and_offset_do_not_matter(image, mode):
    values, valid = image
    scale = ScaleValidIntensity(mode)
    torch.testing.assert_close(scale(3 * values + 40, valid), scale(values, valid), atol=1e-4, rtol=0)


def test_nothing_to_scale():
    for valid in (torch.ones(SHAPE), torch.zeros(SHAPE)):
        assert (ScaleValidIntensity()(torch.full(SHAPE, 4.0), valid) == -1).all()


def test_unknown_mode():
    with pytest.raises(ValueError, match="minmax"):
        ScaleValidIntensity("max")


def test_pair_agrees(image):
    values, valid = image
    data = {"fixed_image": values, "valid": valid}
    transform = ScaleValidIntensityd("fixed_image")
    assert_pair_agrees(lambda image: ScaleValidIntensity()(image, valid), transform, data, "fixed_image")
    assert ScaleValidIntensityD is ScaleValidIntensityDict is ScaleValidIntensityd
