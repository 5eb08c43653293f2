"""Smooth noise on a lattice."""

import pytest
import torch

from monai_cortex.simulate.smooth_noise import SmoothNoise


@pytest.fixture
def noise(generator):
    return SmoothNoise(2, 3.0, generator, nodes=40)


@pytest.fixture
def points(random_points):
    return random_points(20000, 60.0)


def test_mean_and_deviation(noise, points):
    values = noise.at(points)
    assert values.shape == (2, 20000)
    assert values.mean().abs() < 0.05
    assert values.std().item() == pytest.approx(0.9, abs=0.1)  # reading between nodes averages


def test_correlation_is_that_of_the_smoothing(noise, points, vector):
    """White noise smoothed with deviation s is correlated as exp(-d^2 / (4 s^2))."""
    here = noise.at(points)
    for distance, expected in ((3.0, 0.78), (6.0, 0.37), (18.0, 0.0)):
        there = noise.at(points + vector(distance, 0, 0))
        assert float((here * there).mean() / (here * here).mean()) == pytest.approx(expected, abs=0.08)


def test_field_repeats_and_is_continuous(noise, points, vector):
    torch.testing.assert_close(noise.at(points + vector(120, -120, 240)), noise.at(points), atol=2e-3, rtol=0)
    seam = torch.tensor([[0.001, 5, 5], [-0.001, 5, 5]])
    first, second = noise.at(seam).T
    torch.testing.assert_close(first, second, atol=5e-3, rtol=0)


def test_seed_decides(points):
    first, again, other = (SmoothNoise(1, 3.0, torch.Generator().manual_seed(s)).at(points) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("scale", "nodes"), [(0.0, 8), (-1.0, 8), (1.0, 0)])
def test_senseless_lattices_are_refused(generator, scale, nodes):
    with pytest.raises(ValueError, match="positive scale"):
        SmoothNoise(1, scale, generator, nodes=nodes)
