"""Heat diffusion in harmonic space, against its closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.networks.schedulers import SphericalHeatScheduler

DEGREE = 6
COUNT = (DEGREE + 1) ** 2
DEGREES = harmonic_degrees(DEGREE)
VARIANCE = 2.0 ** -torch.arange(DEGREE + 1, dtype=torch.float64)
KINDS = pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_mean_loses_half_of_a_degree_after_its_half_life():
    scheduler = SphericalHeatScheduler(DEGREE)
    for degree in range(1, DEGREE + 1):
        scale = scheduler.mean_scale(times(math.log(2) / (degree * (degree + 1))))[0]
        torch.testing.assert_close(scale[DEGREES == degree], torch.full((2 * degree + 1,), 0.5).double())


def test_point_spreads_like_the_heat_kernel():
    """K_t(gamma) = sum (2l + 1) / (4 pi) exp(-l (l + 1) t) P_l(cos gamma)."""
    scheduler, t = SphericalHeatScheduler(20), 0.05
    mesh = icosphere(3)
    pole = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    basis = real_harmonics(mesh.vertices, 20)
    kernel = basis @ (scheduler.mean_scale(times(t))[0] * real_harmonics(pole, 20)[0])
    legendre = [torch.special.legendre_polynomial_p(mesh.vertices[:, 2], n) for n in range(21)]
    expected = sum((2 * n + 1) / (4 * math.pi) * math.exp(-n * (n + 1) * t) * p for n, p in enumerate(legendre))
    torch.testing.assert_close(kernel, expected, atol=1e-10, rtol=0)
    assert (kernel * vertex_areas(mesh)).sum().item() == pytest.approx(1, abs=1e-3)


@given(st.floats(1e-4, 1.0), st.floats(1e-4, 1.0))
@settings(deadline=None, max_examples=30)
def test_times_add_up(first, second):
    scheduler = SphericalHeatScheduler(DEGREE, VARIANCE)
    a, b = scheduler.mean_scale(times(first)), scheduler.mean_scale(times(second))
    torch.testing.assert_close(a * b, scheduler.mean_scale(times(first + second)), atol=1e-14, rtol=1e-9)
    variance = b**2 * scheduler.std(times(first)) ** 2 + scheduler.std(times(second)) ** 2
    torch.testing.assert_close(variance, scheduler.std(times(first + second)) ** 2, atol=1e-14, rtol=1e-9)


def test_short_times_have_the_variance_of_brownian_motion():
    scheduler = SphericalHeatScheduler(DEGREE, VARIANCE)
    slope = scheduler.std(times(1e-12))[0] ** 2 / 1e-12
    torch.testing.assert_close(slope, (2 * DEGREES * (DEGREES + 1)).double() * VARIANCE[DEGREES], rtol=1e-6, atol=0)


def test_samples_have_the_moments_of_the_marginal():
    scheduler, t = SphericalHeatScheduler(DEGREE, VARIANCE), times(0.02).expand(4000)
    start = normal(0, 1, 1, COUNT).expand(4000, 1, COUNT)
    drawn = scheduler.add_noise(start, normal(1, 4000, 1, COUNT), t)[:, 0]
    deviation = scheduler.std(t[:1])[0]
    mean = scheduler.mean_scale(t[:1])[0] * start[0, 0]
    assert ((drawn.mean(0) - mean).abs() <= 5 * deviation / 4000**0.5 + 1e-12).all()
    torch.testing.assert_close(drawn.std(0)[1:], deviation[1:], rtol=0.08, atol=0)


def test_long_times_forget_all_but_the_mean():
    scheduler = SphericalHeatScheduler(40)
    start, noise = normal(0, 1, 1, 41**2), normal(1, 1, 1, 41**2)
    found = scheduler.add_noise(start, noise, times(30.0))
    torch.testing.assert_close(found[..., 1:], noise[..., 1:])
    assert found[0, 0, 0] == start[0, 0, 0]


@KINDS
@pytest.mark.parametrize("t", [1e-4, 0.01])
def test_true_prediction_gives_back_the_start_and_the_noise(kind, t):
    scheduler = SphericalHeatScheduler(DEGREE, VARIANCE, prediction_type=kind)
    start, noise, t = normal(0, 2, 3, COUNT), normal(1, 2, 3, COUNT), times(t, t)
    sample = scheduler.add_noise(start, noise, t)
    found, heard = scheduler.estimate(scheduler.target(start, noise, t), t, sample)
    torch.testing.assert_close(found, start, atol=1e-9, rtol=0)
    torch.testing.assert_close(heard[..., 1:], noise[..., 1:], atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_nothing_overflows_at_the_longest_time(kind):
    scheduler = SphericalHeatScheduler(40, prediction_type=kind)
    start, noise = (normal(seed, 1, 1, 41**2).float() for seed in (0, 1))
    sample = scheduler.add_noise(start, noise, times(1.0))
    before, found = scheduler.step(scheduler.target(start, noise, times(1.0)), times(1.0), times(0.7), sample)
    assert before.isfinite().all()
    torch.testing.assert_close(found, start, atol=1e-5, rtol=0)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_step_with_the_truth_lands_on_the_earlier_marginal(eta):
    """Mean and variance, from the marginal at the later time."""
    scheduler, later, earlier = SphericalHeatScheduler(DEGREE, VARIANCE), times(0.03), times(0.01)
    start, zero, one = normal(0, 1, 1, COUNT), torch.zeros(1, 1, COUNT).double(), torch.ones(1, 1, COUNT).double()

    def step(sample_noise, step_noise):
        sample = scheduler.add_noise(start, sample_noise, later)
        return scheduler.step(scheduler.target(start, sample_noise, later), later, earlier, sample, eta, step_noise)[0]

    mean = step(zero, zero)
    torch.testing.assert_close(mean, scheduler.add_noise(start, zero, earlier))
    variance = (step(one, zero) - mean) ** 2 + (step(zero, one) - mean) ** 2
    torch.testing.assert_close(variance[0, 0], scheduler.std(earlier)[0] ** 2)


def test_reverse_step_is_the_posterior():
    """Bayes: 1 / var(c' | c) = 1 / var(c') + r^2 / q with c = r c' + noise of variance q, for c_0 known."""
    scheduler, later, earlier = SphericalHeatScheduler(DEGREE, VARIANCE), times(0.03), times(0.01)
    start, zero, one = normal(0, 1, 1, COUNT), torch.zeros(1, 1, COUNT).double(), torch.ones(1, 1, COUNT).double()
    sample = scheduler.add_noise(start, zero, later)
    prediction = scheduler.target(start, zero, later)
    spread = [scheduler.step(prediction, later, earlier, sample, 1.0, noise)[0] for noise in (one, zero)]
    found = ((spread[0] - spread[1]) ** 2)[0, 0, 1:]
    ratio = scheduler.mean_scale(times(0.02))[0, 1:]
    noise = VARIANCE[DEGREES][1:] * (1 - ratio**2)
    expected = 1 / (1 / scheduler.std(earlier)[0, 1:] ** 2 + ratio**2 / noise)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_flow_of_a_normal_population_is_followed():
    r"""c_0 ~ N(mu, V): the flow keeps (c - a mu) / sqrt(a^2 V + s^2), and the network's part has a closed form."""
    scheduler = SphericalHeatScheduler(DEGREE, shortest=1e-4, longest=0.5)
    mean, variance, xi = normal(0, 1, 1, COUNT), 0.2, normal(1, 1, 1, COUNT)

    def deviation(t):
        return (scheduler.mean_scale(t) ** 2 * variance + scheduler.std(t) ** 2).sqrt()

    errors = []
    for steps in (20, 40):
        grid = scheduler.inference_times(steps)
        sample = scheduler.mean_scale(grid[:1]) * mean + deviation(grid[:1]) * xi
        for t, previous in zip(grid[:-1, None], grid[1:, None], strict=True):
            scale, share = scheduler.mean_scale(t), scheduler.std(t)
            noise = share * (sample - scale * mean) / deviation(t) ** 2
            original = mean + scale * variance * (sample - scale * mean) / deviation(t) ** 2
            sample, _ = scheduler.step(scale * noise - share * original, t, previous, sample)
        exact = scheduler.mean_scale(grid[-1:]) * mean + deviation(grid[-1:]) * xi
        errors.append((sample - exact)[..., 1:].abs().max().item())
    assert errors[1] < 0.1
    assert 1.7 < errors[0] / errors[1] < 2.3


def test_drawn_times_are_even_in_their_logarithms():
    scheduler = SphericalHeatScheduler(DEGREE)
    drawn = scheduler.draw_times(4000, torch.Generator().manual_seed(0)).log10()
    assert -4 <= drawn.min() < -3.95 < -0.05 < drawn.max() <= 0
    assert drawn.mean().item() == pytest.approx(-2, abs=0.1)


@pytest.mark.parametrize(
    ("steps", "start", "times"),
    [(4, None, [0.1, 10**-1.5, 1e-2, 10**-2.5, 1e-3]), (2, 0.4, [0.4, 0.02, 1e-3])],
)
def test_inference_goes_from_the_longest_time_or_the_start_to_the_shortest(steps, start, times):
    grid = SphericalHeatScheduler(DEGREE, shortest=1e-3, longest=0.1).inference_times(steps, start)
    torch.testing.assert_close(grid, torch.tensor(times, dtype=torch.float64))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prediction_type": "score"}, "score"),
        ({"shortest": 0.0}, "shortest=0"),
        ({"variance": torch.ones(3)}, "7 variances"),
        ({"variance": torch.zeros(7)}, "above 0"),
    ],
)
def test_what_makes_no_process_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        SphericalHeatScheduler(DEGREE, **options)


def test_chance_needs_noise():
    scheduler, x = SphericalHeatScheduler(DEGREE), torch.zeros(1, 1, COUNT)
    with pytest.raises(ValueError, match="noise"):
        scheduler.step(x, times(0.2), times(0.1), x, eta=1.0)
