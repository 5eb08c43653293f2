"""Networks in windows see what they would see of the whole."""

import pytest
import torch

from monai_cortex.inferers import BridgeInferer
from monai_cortex.inferers.sliding_network import SlidingNetwork
from monai_cortex.networks.schedulers import BrownianBridgeScheduler


def pointwise(x, timesteps):
    times = timesteps.reshape(-1, 1, 1, 1, 1) / 1000
    return x[:, :1] * times + x[:, 1:2] ** 2


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(9, 20, 13), (8, 8, 8), (5, 6, 7)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("batch", [1, 4])
def test_pointwise_network_is_the_same_in_windows(shape, overlap, batch):
    x, time = normal(1, 2, *shape), torch.tensor([300])
    found = SlidingNetwork(pointwise, (8, 8, 8), overlap, batch)(x, timesteps=time)
    torch.testing.assert_close(found, pointwise(x, time), atol=1e-5, rtol=1e-5)


def test_network_sees_windows_of_the_size_asked_for():
    seen = []

    def network(x, timesteps):
        seen.append((tuple(x.shape[2:]), len(x) == len(timesteps), len(x)))
        return x[:, :1]

    SlidingNetwork(network, (8, 6, 8), 0.25, 3)(normal(1, 2, 20, 20, 20), torch.tensor([5]))
    assert {(size, fits) for size, fits, _ in seen} == {((8, 6, 8), True)}
    assert max(number for *_, number in seen) == 3


def test_what_is_smaller_than_a_window_is_continued_outwards():
    """A source of 0 would be cortex where there is none."""
    seen = []

    def network(x, timesteps):
        seen.append(x[:, 1])
        return x[:, :1]

    SlidingNetwork(network, (8, 8, 8))(torch.ones(1, 2, 4, 9, 5), torch.tensor([5]))
    assert {tuple(x.shape[1:]) for x in seen} == {(8, 8, 8)}
    assert all((x == 1).all() for x in seen)


def test_sampler_draws_the_same_image_through_windows():
    source = normal(1, 1, 12, 10, 9)
    sampler = BridgeInferer(BrownianBridgeScheduler())
    draws = [
        sampler.sample(source, network, None, 5, 1.0, torch.Generator().manual_seed(0))
        for network in (pointwise, SlidingNetwork(pointwise, (8, 8, 8)))
    ]
    torch.testing.assert_close(*draws, atol=1e-4, rtol=1e-4)
