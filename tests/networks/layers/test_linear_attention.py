"""Linear attention beside its explicit sums, and what reordering voxels may change."""

import pytest
import torch
from torch import nn

from monai_cortex.networks.layers.linear_attention import LinearSelfAttention, linear_attention

CHANNELS = 8


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def triple():
    return [normal(seed, 2, CHANNELS, 3, 3, 3) for seed in range(3)]


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_equals_the_explicit_sums_at_27_voxels(heads):
    query, key, value = (x.reshape(2, heads, CHANNELS // heads, 27) for x in triple())
    share = key.exp() / key.exp().sum(-1, keepdim=True)
    context = torch.einsum("bhdn,bhen->bhde", share, value)
    expected = torch.einsum("bhde,bhdn->bhen", context, query).reshape(2, CHANNELS, 3, 3, 3)
    torch.testing.assert_close(linear_attention(*triple(), heads), expected)


def test_equal_keys_read_the_mean_of_the_values():
    query, key, value = triple()
    found = linear_attention(query, torch.full_like(key, 3.0), value, 1)
    torch.testing.assert_close(found, value.mean((2, 3, 4), keepdim=True) * query.sum(1, keepdim=True).expand_as(query))


def test_order_of_the_voxels_read_from_does_not_matter():
    query, key, value = triple()
    order = torch.randperm(27, generator=torch.Generator().manual_seed(5))
    moved = [x.flatten(2)[..., order].view_as(x) for x in (key, value)]
    torch.testing.assert_close(linear_attention(query, *moved, 4), linear_attention(query, key, value, 4))


def test_voxels_read_at_take_their_result_along():
    query, key, value = triple()
    moved = query.permute(0, 1, 4, 2, 3)
    expected = linear_attention(query, key, value, 4).permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(linear_attention(moved, key, value, 4), expected)


def test_heads_do_not_hear_each_other():
    query, key, value = triple()
    change = torch.zeros_like(value)
    change[:, :2] = 1
    moved = linear_attention(query, key, value + change, 4) - linear_attention(query, key, value, 4)
    assert moved[:, :2].abs().min() > 0
    torch.testing.assert_close(moved[:, 2:], torch.zeros_like(moved[:, 2:]))


@pytest.mark.parametrize("heads", [3, 16])
def test_heads_must_divide_the_channels(heads):
    with pytest.raises(ValueError, match=f"divide the 8 channels, got {heads}"):
        linear_attention(*triple(), heads)


def test_layer_adds_to_its_input_what_does_not_know_contrast():
    layer = LinearSelfAttention(CHANNELS).double()
    features = normal(3, 2, CHANNELS, 4, 3, 2)
    added = layer(features) - features
    assert added.abs().max() > 1e-3
    torch.testing.assert_close(layer(5 * features + 2) - (5 * features + 2), added, atol=1e-4, rtol=1e-4)
    nn.init.zeros_(layer.project.weight)
    nn.init.zeros_(layer.project.bias)
    assert torch.equal(layer(features), features)


def test_layer_has_the_published_number_of_parameters():
    """One normalization, queries, keys and values without bias, one projection."""
    assert sum(parameter.numel() for parameter in LinearSelfAttention(32).parameters()) == 64 + 3 * 32**2 + 32**2 + 32
