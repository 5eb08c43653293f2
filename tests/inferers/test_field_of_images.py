"""A network behind one image of two channels."""

import pytest
import torch
from torch import nn

from monai_cortex.inferers import FieldOfImages
from monai_cortex.networks.nets import FSDiffRegNet

SHAPE = (8, 12, 4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    module = FSDiffRegNet(width=4, multipliers=(1, 2)).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    return module


@pytest.fixture
def pair():
    chance = torch.Generator().manual_seed(1)
    return 2 * torch.rand(2, 2, *SHAPE, generator=chance) - 1


@torch.no_grad()
def test_field_is_that_of_one_pass_with_the_fixed_image_at_time_zero(network, pair):
    moving, fixed = pair[:, :1], pair[:, 1:]
    found = FieldOfImages(network)(pair)
    assert found.shape == (2, 3, *SHAPE)
    torch.testing.assert_close(found, network(moving, fixed, fixed, torch.zeros(2, dtype=torch.long))["ddf"])


@torch.no_grad()
def test_images_are_not_exchangeable(network, pair):
    module = FieldOfImages(network)
    assert (module(pair) - module(pair.flip(1))).abs().max() > 1e-3


def test_weights_are_the_network_s(network, pair):
    module = FieldOfImages(network)
    module(pair).sum().backward()
    assert [name.removeprefix("network.") for name, _ in module.named_parameters()] == [
        name for name, _ in network.named_parameters()
    ]
    assert network.field_head[-1].weight.grad.abs().max() > 0
