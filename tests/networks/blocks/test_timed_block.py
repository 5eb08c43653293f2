"""The residual block: its parts by what is left when others are silent."""

import pytest
import torch
from torch import nn

from monai_cortex.networks.blocks.timed_block import TimedBlock


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def block(in_channels=8, out_channels=8):
    torch.manual_seed(0)
    return TimedBlock(in_channels, out_channels, 6).double()


def silence(layer):
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


@pytest.mark.parametrize(("widths", "count"), [((32, 32), 55_776), ((8, 16), 10_736)])
def test_parameters_are_those_of_the_published_block(widths, count):
    """Two normalized convolutions, the time's layer and, where widths differ, a shortcut of single voxels."""
    assert sum(parameter.numel() for parameter in TimedBlock(*widths, 8).parameters()) == count


def test_silent_last_convolution_leaves_the_input():
    module, features = block(), normal(1, 2, 8, 4, 5, 6)
    silence(module.leave[-1])
    assert torch.equal(module(features, normal(2, 2, 6)), features)


def test_contrast_of_the_input_reaches_the_sum_only():
    module, features, time = block(), normal(1, 2, 8, 4, 5, 6), normal(2, 2, 6)
    added = module(features, time) - features
    torch.testing.assert_close(module(7 * features + 3, time) - (7 * features + 3), added, atol=1e-4, rtol=1e-4)


def test_time_alone_says_the_same_at_all_inner_voxels():
    module, features = block(), normal(1, 2, 8, 4, 5, 6)
    silence(module.enter[-1])
    added = (module(features, normal(2, 2, 6)) - features)[..., 1:-1, 1:-1, 1:-1]
    torch.testing.assert_close(added, added[..., :1, :1, :1].expand_as(added))
    assert (added[0] - added[1]).abs().max() > 1e-2


def test_each_sample_has_its_own_time():
    module, features, time = block(8, 4), normal(1, 2, 8, 4, 5, 6), normal(2, 2, 6)
    both = module(features, time)
    torch.testing.assert_close(both, torch.cat([module(features[b : b + 1], time[b : b + 1]) for b in range(2)]))


def test_axes_are_alike():
    """With kernels turned along, turned features give the turned result."""
    module, features, time = block(8, 4), normal(1, 1, 8, 4, 5, 6), normal(2, 1, 6)
    expected = module(features, time).permute(0, 1, 3, 4, 2)
    for parameter in module.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.permute(0, 1, 3, 4, 2).contiguous()
    torch.testing.assert_close(module(features.permute(0, 1, 3, 4, 2), time), expected)
