"""Steps of the samplers, with noise that is given."""

import pytest
import torch

from monai_cortex.networks.schedulers import BrownianBridgeScheduler, SphericalHeatScheduler

SHAPE = (2, 1, 4, 5, 6)


@pytest.mark.parametrize("prediction_type", ["ysubx", "noise"])
def test_brownian_bridge(agree, normal, prediction_type):
    images, source, noise = (normal(seed, *SHAPE) for seed in range(3))

    def walk(images, source, noise):
        scheduler = BrownianBridgeScheduler(1000, 1.0, prediction_type).to(images.device)
        times = torch.tensor([400, 990], device=images.device)
        sample = scheduler.add_noise(images, noise, times, source)
        scheduler.set_timesteps(5, images.device)
        generator = torch.Generator().manual_seed(7)
        for timestep in scheduler.timesteps.tolist()[:-1]:
            sample, original = scheduler.step(0.1 * sample, timestep, sample, source, 1.0, generator)
        return sample, original

    agree(walk, images, source, noise)


def test_spherical_heat(agree, normal):
    sample, output, noise = (normal(seed, 2, 1, 81) for seed in range(3))

    def step(sample, output, noise):
        scheduler = SphericalHeatScheduler(8).to(sample.device)
        now, before = (torch.tensor(times, device=sample.device).double() for times in ([0.3, 0.1], [0.1, 0.01]))
        return scheduler.step(output, now, before, scheduler.add_noise(sample, noise, now), 1.0, noise)

    agree(step, sample, output, noise)
