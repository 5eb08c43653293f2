"""The Brownian bridge against its closed forms; see also the sampler in ``tests/inferers/test_bridge.py``."""

import pytest
import torch

from monai_cortex.networks.schedulers import BrownianBridgeScheduler

T = 1000
KINDS = pytest.mark.parametrize("kind", ["ysubx", "grad", "noise", "sample"])
ETAS = pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
MEAN, VARIANCE, SOURCE = 0.2, 0.25, -0.6


def normal(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pair(seed=0):
    return normal(seed, 2, 1, 3, 3, 3).clamp(-1, 1), normal(seed + 1, 2, 1, 3, 3, 3).clamp(-1, 1)


def linear_step(scheduler, t, eta, predict):
    """Constant, factor of the sample and factor of the noise of one step, which is linear in both: solved exactly."""
    x, z = normal(3, 1, 16), normal(4, 1, 16)
    y = torch.full_like(x, SOURCE)
    found = scheduler.step(y - predict(x), t, x, y, eta, torch.Generator().manual_seed(4))[0]
    design = torch.stack([torch.ones(16).double(), x[0], z[0]], dim=1)
    solution = torch.linalg.lstsq(design, found[0]).solution
    torch.testing.assert_close(design @ solution, found[0], atol=1e-10, rtol=0)
    return solution.tolist()


def best_estimate(scheduler, t):
    """E[x0 | x_t] of normal x0."""
    m, delta = (float(table[t]) for table in (scheduler.m, scheduler.delta))
    gain = VARIANCE * (1 - m) / ((1 - m) ** 2 * VARIANCE + delta)
    return lambda x: MEAN + gain * (x - (1 - m) * MEAN - m * SOURCE)


def mean_and_share(steps, eta, renoise):
    """Moments of the images that a perfect network draws: a linear recursion, nothing is sampled."""
    scheduler = BrownianBridgeScheduler()
    scheduler.set_timesteps(steps)
    mean, variance = SOURCE, 0.0
    for step, t in enumerate(scheduler.timesteps.tolist()):
        constant, factor, noise = linear_step(scheduler, t, eta, best_estimate(scheduler, t))
        mean, variance = constant + factor * mean, factor**2 * variance + noise**2
        if step == 0 and renoise:
            n = int(scheduler.timesteps[1])
            m, delta = float(scheduler.m[n]), float(scheduler.delta[n])
            first = float(best_estimate(scheduler, t)(torch.tensor(SOURCE)))
            mean, variance = (1 - m) * first + m * SOURCE, delta
    return mean, variance / VARIANCE


def test_tables_are_those_of_the_bridge():
    scheduler = BrownianBridgeScheduler(max_variance=0.7)
    m, delta = scheduler.m, scheduler.delta
    assert m.dtype == delta.dtype == torch.float64
    torch.testing.assert_close(m, torch.linspace(0.001, 0.999, T, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(delta, 2 * 0.7 * m * (1 - m), atol=1e-12, rtol=0)
    torch.testing.assert_close(delta, delta.flip(0), atol=1e-12, rtol=0)
    assert float(BrownianBridgeScheduler().delta[0]) == pytest.approx(0.001998, abs=1e-9)
    assert float(BrownianBridgeScheduler().delta.max()) == pytest.approx(0.49999950, abs=1e-8)
    assert int(delta.argmax()) in {499, 500}


def test_ends_of_the_bridge_mirror_each_other():
    scheduler, (x, y) = BrownianBridgeScheduler(), pair()
    zero = torch.zeros_like(x)
    first, last = (scheduler.add_noise(x, zero, torch.tensor([t]), y) for t in (0, T - 1))
    torch.testing.assert_close(first, 0.999 * x + 0.001 * y)
    torch.testing.assert_close(last, 0.001 * x + 0.999 * y)


@pytest.mark.parametrize("t", [0, 300, 999])
def test_samples_have_the_moments_of_the_bridge(t):
    count, scheduler = 100_000, BrownianBridgeScheduler()
    x, y = torch.full((count, 1), 0.4).double(), torch.full((count, 1), -0.8).double()
    drawn = scheduler.add_noise(x, normal(t, count, 1), torch.full((count,), t), y)
    m = 0.001 + 0.998 * t / 999
    variance = 2 * m * (1 - m)
    assert float(drawn.mean()) == pytest.approx(0.4 * (1 - m) - 0.8 * m, abs=4 * (variance / count) ** 0.5)
    assert float(drawn.var()) == pytest.approx(variance, rel=4 * (2 / count) ** 0.5)


def test_each_sample_has_its_own_timestep():
    scheduler, (x, y) = BrownianBridgeScheduler(), pair()
    noise, times = normal(5, *x.shape), torch.tensor([17, 801])
    together = scheduler.add_noise(x, noise, times, y)
    for b in range(2):
        alone = scheduler.add_noise(x[b : b + 1], noise[b : b + 1], times[b : b + 1], y[b : b + 1])
        torch.testing.assert_close(together[b : b + 1], alone)


def test_increments_are_variances_that_compose():
    m, delta = BrownianBridgeScheduler().m, BrownianBridgeScheduler().delta
    one = delta[1:] - delta[:-1] * ((1 - m[1:]) / (1 - m[:-1])) ** 2
    assert (one >= 0).all()
    total = torch.zeros(1, dtype=torch.float64)
    for t in range(101, 601):
        total = total * ((1 - m[t]) / (1 - m[t - 1])) ** 2 + one[t - 1]
    torch.testing.assert_close(total[0], delta[600] - delta[100] * ((1 - m[600]) / (1 - m[100])) ** 2)


@pytest.mark.parametrize("steps", [3, 10, 1000])
def test_noise_of_a_step_is_that_of_the_posterior(steps):
    """Bayes: 1 / Var(x_n | x_t, x0, y) = 1 / delta_n + a^2 / q."""
    scheduler = BrownianBridgeScheduler()
    scheduler.set_timesteps(steps)
    listed = scheduler.timesteps.tolist()
    for t, n in list(zip(listed, listed[1:], strict=False))[:: max(1, steps // 20)]:
        a = (1 - scheduler.m[t]) / (1 - scheduler.m[n])
        q = scheduler.delta[t] - a**2 * scheduler.delta[n]
        expected = 1 / (1 / scheduler.delta[n] + a**2 / q)
        assert linear_step(scheduler, t, 1.0, lambda _: 0.3)[2] ** 2 == pytest.approx(float(expected), rel=1e-8)


@ETAS
@pytest.mark.parametrize("spacing", ["bbdm", "linspace"])
def test_steps_keep_the_marginals(eta, spacing):
    """From q(x_t | x0, y) to q(x_n | x0, y), mean and variance, whatever eta is."""
    scheduler = BrownianBridgeScheduler(spacing=spacing)
    scheduler.set_timesteps(10)
    listed = scheduler.timesteps.tolist()
    for t, n in zip(listed, listed[1:], strict=False):
        constant, factor, noise = linear_step(scheduler, t, eta, lambda _: 0.3)
        before, after = (0.3 * (1 - scheduler.m[i]) + SOURCE * scheduler.m[i] for i in (t, n))
        assert constant + factor * float(before) == pytest.approx(float(after), abs=1e-10)
        variance = factor**2 * float(scheduler.delta[t]) + noise**2
        assert variance == pytest.approx(float(scheduler.delta[n]), rel=1e-9)


@pytest.mark.parametrize(("eta", "left"), [(0.0, 0.0015), (0.5, 0.0562)])
def test_released_formula_would_lose_variance(eta, left):
    """It takes the whole sigma^2 out of the root and puts eta^2 of it back: steps here must not agree."""
    scheduler = BrownianBridgeScheduler()
    scheduler.set_timesteps(10)
    (m_t, m_n), (d_t, d_n) = ([float(table[i]) for i in (999, 874)] for table in (scheduler.m, scheduler.delta))
    sigma2 = (d_t - d_n * ((1 - m_t) / (1 - m_n)) ** 2) * d_n / d_t
    released = d_n - sigma2 + eta**2 * sigma2
    assert released == pytest.approx(left, abs=1e-4)
    _, factor, noise = linear_step(scheduler, 999, eta, lambda _: 0.3)
    assert factor**2 * d_t + noise**2 == pytest.approx(0.2201, abs=1e-4)


@KINDS
def test_targets_stand_for_the_image(kind):
    scheduler, (x, y), noise = BrownianBridgeScheduler(prediction_type=kind), pair(), normal(6, 2, 1, 3, 3, 3)
    for t in (0, 1, 500, 998, 999):
        times = torch.tensor([t, T - 1 - t])
        sample, target = (draw(x, noise, times, y) for draw in (scheduler.add_noise, scheduler.get_target))
        torch.testing.assert_close(scheduler.predict_original(target, times, sample, y), x, atol=1e-10, rtol=0)


def test_targets_are_the_published_ones():
    (x, y), noise, times = pair(), normal(6, 2, 1, 3, 3, 3), torch.tensor([300])
    m = 0.001 + 0.998 * 300 / 999
    expected = {"ysubx": y - x, "sample": x, "noise": noise}
    expected["grad"] = m * (y - x) + (2 * m * (1 - m)) ** 0.5 * noise
    for kind, target in expected.items():
        found = BrownianBridgeScheduler(prediction_type=kind).get_target(x, noise, times, y)
        torch.testing.assert_close(found, target)


@ETAS
@pytest.mark.parametrize("ends", [(0.001, 0.999), (0, 1)])
@pytest.mark.parametrize("spacing", ["bbdm", "linspace"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50])
def test_oracle_draws_the_image(steps, spacing, ends, eta):
    scheduler, (x, y) = BrownianBridgeScheduler(spacing=spacing, ends=ends), pair()
    scheduler.set_timesteps(steps)
    sample, generator = y, torch.Generator().manual_seed(0)
    for t in scheduler.timesteps.tolist():
        sample, original = scheduler.step(y - x, t, sample, y, eta, generator)
        torch.testing.assert_close(original, x, atol=1e-12, rtol=0)
    torch.testing.assert_close(sample, x, atol=1e-12, rtol=0)


@ETAS
def test_oracle_draws_the_image_along_all_timesteps(eta):
    test_oracle_draws_the_image(1000, "bbdm", (0.001, 0.999), eta)


@KINDS
def test_oracle_of_each_kind_draws_the_image(kind):
    scheduler, (x, y) = BrownianBridgeScheduler(prediction_type=kind), pair()
    scheduler.set_timesteps(10)
    sample, generator = scheduler.add_noise(x, normal(6, *x.shape), torch.tensor([999]), y), torch.Generator()
    for t in scheduler.timesteps.tolist():
        m, delta = scheduler.m[t], scheduler.delta[t]
        noise = (sample - (1 - m) * x - m * y) / delta.sqrt()
        target = scheduler.get_target(x, noise, torch.tensor([t]), y)
        sample = scheduler.step(target, t, sample, y, 0.5, generator)[0]
    torch.testing.assert_close(sample, x, atol=1e-8, rtol=0)


def test_exact_ends_have_no_variance_and_the_first_step_restores_it():
    scheduler = BrownianBridgeScheduler(ends=(0, 1))
    assert scheduler.delta[0] == scheduler.delta[-1] == 0
    scheduler.set_timesteps(10)
    for eta in (0.0, 0.5, 1.0):
        _, factor, noise = linear_step(scheduler, 999, eta, lambda _: 0.3)
        assert factor == pytest.approx(0, abs=1e-10)
        assert noise**2 == pytest.approx(float(scheduler.delta[874]), rel=1e-9)


def test_without_variance_the_path_is_straight_as_that_of_a_rectified_flow():
    from monai.networks.schedulers import RFlowScheduler

    scheduler, flow, (x, y) = BrownianBridgeScheduler(T - 1, max_variance=0), RFlowScheduler(T), pair()
    assert (scheduler.delta == 0).all()
    scheduler.set_timesteps(10)
    flow.set_timesteps(10)
    listed = scheduler.timesteps.tolist()
    sample = other = scheduler.add_noise(x, normal(1, *x.shape), torch.tensor([998]), y)
    for t, n in zip(listed, listed[1:], strict=False):
        sample = scheduler.step(y - x, t, sample, y)[0]
        other = flow.step(x - y, t + 1, other, n + 1)[0]  # m is (t + 1) / T here, and the flow knows integers only
        torch.testing.assert_close(sample, x + scheduler.m[n] * (y - x), atol=1e-12, rtol=0)
        torch.testing.assert_close(sample, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("steps", "shares"),
    [
        (10, (0.414, 0.516, 0.533)),
        (50, (0.760, 0.850, 0.869)),
        (200, (0.906, 0.948, 0.958)),
        (1000, (0.967, 0.980, 0.984)),
    ],
)
def test_few_steps_draw_too_little_even_with_a_perfect_network(steps, shares):
    for eta, share in zip((1.0, 0.5, 0.0), shares, strict=True):
        mean, found = mean_and_share(steps, eta, renoise=True)
        assert found == pytest.approx(share, abs=1e-3)
        assert mean == pytest.approx(MEAN, abs=1e-4)


def test_start_without_variance_stays_without():
    """Why the inferer draws the first sample anew: at eta = 0 nothing random is left, and the mean is off."""
    mean, share = mean_and_share(10, 0.0, renoise=False)
    assert share == pytest.approx(0, abs=1e-20)
    assert mean == pytest.approx(0.1935, abs=1e-4)


def test_equal_generators_draw_equal_noise():
    scheduler, (x, y) = BrownianBridgeScheduler(), pair()
    draws = [scheduler.step(y, 999, x, y, 1.0, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_samples_keep_their_precision_and_stay_finite(dtype):
    scheduler, (x, y) = BrownianBridgeScheduler(), (part.to(dtype) for part in pair())
    for t in (999, 500, 1, 0):
        noisy = scheduler.add_noise(x, normal(1, *x.shape).to(dtype), torch.tensor([t]), y)
        following, original = scheduler.step(y - x, t, noisy, y, 1.0, torch.Generator())
        for part in (noisy, following, original):
            assert part.dtype == dtype
            assert part.isfinite().all()


def test_tables_follow_the_module_and_are_not_saved():
    scheduler = BrownianBridgeScheduler().to("meta")
    assert {scheduler.m.device.type, scheduler.delta.device.type, scheduler.timesteps.device.type} == {"meta"}
    assert not scheduler.state_dict()


def test_estimates_are_clamped_on_demand_only():
    x = torch.full((1, 1, 2, 2, 2), 3.0)
    y = torch.zeros_like(x)
    for clip, expected in ((True, 1.0), (False, 3.0)):
        scheduler = BrownianBridgeScheduler(clip_sample=clip)
        assert scheduler.step(y - x, 0, y, y)[1].unique().tolist() == [expected]


@pytest.mark.parametrize(
    "options",
    [
        {"num_train_timesteps": 1},
        {"max_variance": -1},
        {"max_variance": float("nan")},
        {"prediction_type": "velocity"},
        {"ends": (0.5, 0.5)},
        {"ends": (-0.1, 1)},
        {"ends": (0, 1.1)},
        {"spacing": "cosine"},
    ],
)
def test_bad_values_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))[:4].strip("(")):
        BrownianBridgeScheduler(**options)


def test_noise_of_an_exact_end_is_refused():
    with pytest.raises(ValueError, match="says nothing about the image"):
        BrownianBridgeScheduler(prediction_type="noise", ends=(0, 1))


def test_bridge_names_what_it_is_made_of():
    text = repr(BrownianBridgeScheduler(50, 0.5, "grad", spacing="linspace"))
    assert text == "BrownianBridgeScheduler(T=50, s=0.5, grad, linspace)"


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_bad_numbers_of_steps_are_refused(number):
    with pytest.raises(ValueError, match="1000"):
        BrownianBridgeScheduler().set_timesteps(number)


def test_bad_steps_are_refused():
    scheduler, (x, y) = BrownianBridgeScheduler(), pair()
    scheduler.set_timesteps(10)
    with pytest.raises(ValueError, match="500"):
        scheduler.step(x, 500, x, y)
    for eta in (-0.1, 1.5):
        with pytest.raises(ValueError, match="eta"):
            scheduler.step(x, 999, x, y, eta)
