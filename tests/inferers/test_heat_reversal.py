r"""Reverse diffusion, with the exact score of a normal population in place of a network.

For :math:`c_0 \sim N(\mu, V)` the score is :math:`-(c - a\mu) / (a^2 V + s^2)`, the probability flow
:math:`c(\tau) = a\mu + \sqrt{a^2 V + s^2}\,\xi` with constant :math:`\xi`.
"""

import pytest
import torch

from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.inferers import reverse_heat
from monai_cortex.networks.nets import Score
from monai_cortex.networks.schedulers import SphericalHeatScheduler

DEGREE = 5
COUNT = (DEGREE + 1) ** 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Population:
    """Exact network of a normal population, its variance one number a degree."""

    def __init__(self, scheduler, mean, variance):
        degree = round(mean.shape[-1] ** 0.5) - 1
        self.scheduler, self.mean, self.variance = scheduler, mean, variance[harmonic_degrees(degree)]
        self.calls = []

    def deviation(self, t):
        return (self.scheduler.mean_scale(t) ** 2 * self.variance + self.scheduler.std(t) ** 2).sqrt()

    def flow(self, t, xi):
        return self.scheduler.mean_scale(t) * self.mean + self.deviation(t) * xi

    def __call__(self, sample, t, condition):
        self.calls.append((t, condition))
        scale, share = (part[:, None] for part in (self.scheduler.mean_scale(t), self.scheduler.std(t)))
        found = (sample.double() - scale * self.mean) / self.deviation(t)[:, None] ** 2
        noise, original = share * found, self.mean + scale * self.variance * found
        return Score((scale * noise - share * original).to(sample), sample)


@pytest.fixture
def population():
    scheduler = SphericalHeatScheduler(DEGREE, longest=0.5)
    return Population(scheduler, normal(0, COUNT), 0.05 + 0.1 * torch.arange(DEGREE + 1, dtype=torch.float64))


def test_flow_is_the_closed_form_to_the_order_of_the_step(population):
    scheduler, xi, errors = population.scheduler, normal(1, 2, 3, COUNT), []
    for steps in (40, 80, 160):
        grid = scheduler.inference_times(steps)
        found, _ = reverse_heat(population, scheduler, population.flow(grid[0], xi), xi, grid)
        errors.append((found - population.flow(grid[-1], xi))[..., 1:].abs().max().item())
    assert errors[2] < 0.03
    assert 1.8 < errors[0] / errors[1] < 2.2
    assert 1.8 < errors[1] / errors[2] < 2.2


def test_reverse_process_has_the_moments_of_the_population(population):
    scheduler, number = population.scheduler, 3000
    grid = scheduler.inference_times(60)
    start = population.flow(grid[0], normal(2, number, 1, COUNT))
    found, _ = reverse_heat(population, scheduler, start, start, grid, 1.0, torch.Generator().manual_seed(3))
    mean, deviation = (
        part[1:] for part in (scheduler.mean_scale(grid[-1]) * population.mean, population.deviation(grid[-1]))
    )
    assert ((found.mean((0, 1))[1:] - mean).abs() < 5 * deviation / number**0.5 + 0.02).all()
    torch.testing.assert_close(found.std(0)[0, 1:], deviation, rtol=0.1, atol=0)
    correlation = torch.corrcoef(torch.stack([start[:, 0, 1:].flatten(), found[:, 0, 1:].flatten()]))[0, 1]
    flowed, _ = reverse_heat(population, scheduler, start, start, grid)
    remembered = torch.corrcoef(torch.stack([start[:, 0, 1:].flatten(), flowed[:, 0, 1:].flatten()]))[0, 1]
    assert correlation < 0.7 * remembered  # chance forgets what the flow keeps


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_nothing_overflows_from_the_longest_time_at_high_degrees(eta):
    """exp(-1640) is 0 in every precision."""
    scheduler, count = SphericalHeatScheduler(40), 41**2
    mean = normal(4, count)
    population = Population(scheduler, mean, torch.full((41,), 0.3, dtype=torch.float64))
    grid = scheduler.inference_times(80)
    assert grid[0] == 1
    start = normal(5, 1, 1, count).float()
    found, score = reverse_heat(population, scheduler, start, start, grid, eta, torch.Generator().manual_seed(6))
    assert found.isfinite().all()
    assert score.prediction.isfinite().all()
    xi = (found - scheduler.mean_scale(grid[-1]) * mean) / population.deviation(grid[-1])
    assert xi[..., 9:].square().mean().item() == pytest.approx(1, abs=0.2)


def test_score_is_that_of_the_last_time_and_the_condition_stays(population):
    grid, start, condition = population.scheduler.inference_times(4), normal(6, 2, 1, COUNT), normal(7, 2, 2, COUNT)
    found, score = reverse_heat(population, population.scheduler, start, condition, grid)
    assert torch.equal(score.embedding, found)
    assert torch.equal(torch.stack([t for t, _ in population.calls]), grid[:, None].expand(5, 2))
    assert all(seen is condition for _, seen in population.calls)


def test_a_single_time_takes_no_step(population):
    start = normal(8, 1, 1, COUNT)
    found, _ = reverse_heat(population, population.scheduler, start, start, torch.tensor([0.1], dtype=torch.float64))
    assert found is start


def test_equal_seeds_give_equal_bits_and_others_do_not(population):
    grid, start = population.scheduler.inference_times(5), normal(9, 1, 1, COUNT)
    first, same, other = (
        reverse_heat(population, population.scheduler, start, start, grid, 1.0, torch.Generator().manual_seed(seed))[0]
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_gradient_reaches_the_network_by_its_last_call_alone():
    """So that training holds one pass in memory, however many steps there are."""
    scheduler = SphericalHeatScheduler(DEGREE)
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    inputs = []

    def network(sample, t, condition):
        inputs.append(sample)
        return Score(weight * sample, weight * sample)

    start = normal(10, 1, 1, COUNT)
    _, score = reverse_heat(network, scheduler, start, start, scheduler.inference_times(3))
    assert not any(sample.requires_grad for sample in inputs)
    score.embedding.sum().backward()
    torch.testing.assert_close(weight.grad, inputs[-1].sum())
