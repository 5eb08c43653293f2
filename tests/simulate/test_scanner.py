"""Scanners: contrast, gamma, shading, noise."""

import math

import pytest
import torch

from monai_cortex.simulate.scanner import SCANNERS, Scanner

CLEAN = Scanner(noise=0.0)


@pytest.fixture
def tissues():
    """Slabs of white matter, gray matter, fluid and nothing, 40 x 40 x 40."""
    fractions = torch.zeros(3, 40, 40, 40)
    for tissue in range(3):
        fractions[tissue, 10 * tissue : 10 * tissue + 10] = 1
    return fractions


def slabs(image):
    return image.reshape(4, -1)


def test_means_are_those_of_the_tissues(tissues):
    image = CLEAN.image(tissues)
    assert image.dtype == torch.float32
    for values, mean in zip(slabs(image), (1.0, 0.6, 0.15, 0.0), strict=True):
        torch.testing.assert_close(values, torch.full_like(values, mean))


def test_partial_volume_is_a_mixture_before_gamma(tissues):
    half = (tissues[:, :10] + tissues[:, 10:20]) / 2
    torch.testing.assert_close(CLEAN.image(half), torch.full((10, 40, 40), 0.8))
    steep = Scanner(gamma=2.0, noise=0.0).image(half)
    torch.testing.assert_close(steep, torch.full((10, 40, 40), 0.64))


def test_noise_is_rician(tissues, generator):
    image = Scanner(noise=0.05).image(tissues, generator)
    white, gray, fluid, empty = slabs(image)
    assert white.std().item() == pytest.approx(0.05, rel=0.03)
    assert gray.mean().item() == pytest.approx(math.hypot(0.6, 0.05 / math.sqrt(2)), rel=2e-3)
    assert (image >= 0).all()
    assert not empty.any()
    assert fluid.min() < 0.05


def test_bias_is_smooth_and_multiplies(tissues, generator):
    image = Scanner(bias=0.2, noise=0.0).image(tissues, generator)
    ratio = (image[:30] / CLEAN.image(tissues)[:30]).log()
    assert 0.05 < ratio.std() < 0.5
    for axis in range(3):
        assert ratio.diff(dim=axis).abs().max() < 0.2 * 2 * math.pi / 40 * 5


def test_bias_has_the_deviation_asked_for(tissues):
    found = [
        Scanner(bias=0.1, noise=0.0).image(tissues, torch.Generator().manual_seed(seed))[:10].log().square().mean()
        for seed in range(60)
    ]
    assert torch.stack(found).mean().sqrt().item() == pytest.approx(0.1, rel=0.2)


def test_seed_decides(tissues):
    first, again, other = (SCANNERS["B"].image(tissues, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_named_scanners_differ_and_the_training_one_is_bias_corrected():
    assert list(SCANNERS) == ["A", "B"]
    assert SCANNERS["A"].bias == 0
    assert SCANNERS["A"].noise == pytest.approx(0.01 * SCANNERS["A"].white)
    assert SCANNERS["B"].gamma != SCANNERS["A"].gamma


@pytest.mark.parametrize("wrong", [{"noise": -1}, {"gamma": 0}, {"gray": -0.1}, {"bias": -1}])
def test_senseless_scanners_are_refused(wrong):
    with pytest.raises(ValueError, match="0 or more"):
        Scanner(**wrong)
