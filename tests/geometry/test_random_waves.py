"""Random fields that can be evaluated anywhere, and their flows."""

import math

import pytest
import torch

from monai_cortex.geometry.random_waves import RandomWaves, flow, random_waves


@pytest.fixture
def points():
    return 50 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_one_wave_is_a_cosine(points):
    wave = RandomWaves(
        torch.tensor([[0.2, 0, 0]], dtype=torch.float64),
        torch.tensor([0.3], dtype=torch.float64),
        torch.tensor([[2.0, -1]]).double(),
    )
    cosine = torch.cos(0.2 * points[:, :1] + 0.3)
    torch.testing.assert_close(wave.at(points), torch.cat([2 * cosine, -cosine], 1))


def test_deviation_and_mean_are_those_asked_for(points):
    values = torch.cat(
        [
            random_waves(1.5, (10, 20), 2, torch.Generator().manual_seed(seed), waves=200).at(points)
            for seed in range(20)
        ]
    )
    assert values.std().item() == pytest.approx(1.5, rel=0.05)
    assert abs(values.mean().item()) < 0.05


def test_wavelengths_lie_between_the_limits(points):
    found = 2 * math.pi / random_waves(1.0, (15, 25), waves=500).vectors.norm(dim=1)
    assert 15 <= found.min() < 16
    assert 24 < found.max() <= 25


def test_sum_of_fields(points):
    first, second = random_waves(1.0, (10, 20), 3), random_waves(2.0, (50, 60), 3)
    torch.testing.assert_close(first.joined(second).at(points), first.at(points) + second.at(points))


def test_flow_of_a_constant_field_is_a_shift(points):
    still = RandomWaves(torch.zeros(1, 3).double(), torch.zeros(1).double(), torch.tensor([[1.0, 2, 3]]).double())
    torch.testing.assert_close(flow(points, still), points + torch.tensor([1.0, 2, 3]))


def test_flow_against_the_field_leads_back(points):
    field = random_waves(2.0, (40, 60), 3, torch.Generator().manual_seed(2))
    there = flow(points, field, steps=16)
    assert (there - points).norm(dim=1).mean() > 2
    back = flow(there, field._replace(amplitudes=-field.amplitudes), steps=16)
    torch.testing.assert_close(back, points, atol=1e-3, rtol=0)


def test_seed_decides():
    first, again, other = (random_waves(1.0, (1, 2), 1, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.vectors, other.vectors)


@pytest.mark.parametrize(("deviation", "wavelengths"), [(-1, (1, 2)), (1, (0, 2)), (1, (3, 2)), (1, (1, math.inf))])
def test_senseless_numbers_are_refused(deviation, wavelengths):
    with pytest.raises(ValueError, match="wavelength"):
        random_waves(deviation, wavelengths)
