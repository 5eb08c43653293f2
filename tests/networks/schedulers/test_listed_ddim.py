"""DDIM with steps that end where the next one begins."""

import pytest
import torch
from monai.networks.schedulers import DDIMScheduler

from monai_cortex.networks.schedulers import ListedDDIMScheduler


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def error_with_the_true_noise(scheduler, steps):
    scheduler.set_timesteps(steps)
    image, noise = torch.linspace(-1, 1, 500, dtype=torch.float64).reshape(1, 1, -1), normal(0, 1, 1, 500)
    start = int(scheduler.timesteps[0])
    sample = scheduler.add_noise(image, noise, torch.tensor([start]))
    for t in scheduler.timesteps.tolist():
        sample = scheduler.step(noise, t, sample)[0]
    return float((sample - image).abs().max())


@pytest.mark.parametrize("steps", [2, 5, 10, 50, 1000])
def test_true_noise_gives_the_image(steps):
    assert error_with_the_true_noise(ListedDDIMScheduler(1000, clip_sample=False), steps) < 1e-5


def test_scheduler_of_monai_needs_the_correction():
    """If this fails, MONAI's steps are right by now, and ours can go."""
    assert error_with_the_true_noise(DDIMScheduler(1000, clip_sample=False), 10) > 0.1


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_steps_keep_the_marginals(eta):
    """Constant, factor of the sample and of the noise are solved for: the step is linear in both."""
    scheduler = ListedDDIMScheduler(1000, clip_sample=False)
    scheduler.set_timesteps(10)
    alphas, listed = scheduler.alphas_cumprod.double(), scheduler.timesteps.tolist()
    image = 0.3
    for t, n in zip(listed, listed[1:], strict=False):
        x, z = normal(1, 1, 1, 16), normal(2, 1, 1, 16)
        noise = (x - alphas[t].sqrt() * image) / (1 - alphas[t]).sqrt()
        found = scheduler.step(noise, t, x, eta, torch.Generator().manual_seed(2))[0]
        design = torch.stack([torch.ones(16).double(), x.flatten(), z.flatten()], dim=1)
        constant, factor, added = torch.linalg.lstsq(design, found.flatten()).solution.tolist()
        mean = constant + factor * float(alphas[t].sqrt()) * image
        assert mean == pytest.approx(float(alphas[n].sqrt()) * image, abs=1e-5)
        assert factor**2 * float(1 - alphas[t]) + added**2 == pytest.approx(float(1 - alphas[n]), abs=1e-5)
        sigma2 = eta**2 * (1 - alphas[n]) / (1 - alphas[t]) * (1 - alphas[t] / alphas[n])
        assert added**2 == pytest.approx(float(sigma2), abs=1e-5)


def test_equal_generators_draw_equal_noise():
    scheduler, x = ListedDDIMScheduler(1000), normal(0, 1, 1, 8)
    draws = [scheduler.step(x, 999, x, 1.0, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_timestep_outside_the_list_is_refused():
    scheduler, x = ListedDDIMScheduler(1000), normal(0, 1, 1, 8)
    scheduler.set_timesteps(10)
    with pytest.raises(ValueError, match="500"):
        scheduler.step(x, 500, x)
