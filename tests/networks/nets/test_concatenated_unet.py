import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.networks.nets import ConcatenatedUNet, HemisphericalUNet


def network(kind=ConcatenatedUNet, inputs=2, **options):
    torch.manual_seed(0)
    net = kind(inputs, 1, **{"nside": 2, "channels": (4, 6), **options}).eval()
    torch.nn.init.normal_(net.head.spherical_weight)
    return net


def moved_voxels(net, place=(2, 2, 2)):
    x = torch.randn(1, 2, 24, 5, 5, 5)
    changed = x.clone()
    changed[(..., *place)] += 1
    return (net(changed) - net(x)).abs().amax((0, 1, 2)) > 1e-7


@torch.no_grad()
def test_every_voxel_sees_its_27_neighbors_and_no_others():
    moved = moved_voxels(network())
    assert moved[1:4, 1:4, 1:4].all()
    assert moved.sum() == 27


@torch.no_grad()
def test_kernel_of_one_is_the_network_on_single_voxels():
    options = {"kernel_sizes": (1, 1)}
    net, single = network(**options), network(HemisphericalUNet, **options)
    single.load_state_dict(net.state_dict())
    x = torch.randn(1, 2, 24, 3, 2, 4)
    torch.testing.assert_close(net(x), single(x), atol=0, rtol=0)
    assert moved_voxels(net).sum() == 1


@torch.no_grad()
def test_middle_feature_is_the_voxel_itself():
    """With weights on the middle neighbor alone the network is the one without neighbors."""
    net, single = network(), network(HemisphericalUNet, kernel_sizes=1)
    state, first = net.state_dict(), "down.0.0.conv.spherical_weight"
    middle = torch.zeros_like(state[first])
    middle[:, 13::27] = state[first][:, 13::27]
    net.load_state_dict(state | {first: middle})
    single.load_state_dict(state | {first: state[first][:, 13::27]})
    x = torch.randn(2, 2, 24, 3, 4, 2)
    torch.testing.assert_close(net(x), single(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("neighbor", [0, 5, 14, 26])
@torch.no_grad()
def test_each_neighbor_has_its_own_weight(neighbor):
    """Neighbor n of the 27, counted along i, then j, then k, moved onto the voxel."""
    net, single = network(inputs=1), network(HemisphericalUNet, 1, kernel_sizes=1)
    state, first = net.state_dict(), "down.0.0.conv.spherical_weight"
    alone = torch.zeros_like(state[first])
    alone[:, neighbor] = state[first][:, neighbor]
    net.load_state_dict(state | {first: alone})
    single.load_state_dict(state | {first: state[first][:, neighbor : neighbor + 1]})
    x = torch.randn(1, 1, 24, 5, 5, 5)
    shift = [1 - neighbor // 9, 1 - neighbor // 3 % 3, 1 - neighbor % 3]
    inner = (..., *[slice(1, -1)] * 3)
    torch.testing.assert_close(net(x)[inner], single(x.roll(shift, (3, 4, 5)))[inner], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_borders_are_replicated():
    """A volume that goes on beyond its border as the border does gives the same inside."""
    net, x = network(), torch.randn(1, 2, 24, 3, 3, 3)
    wide = torch.nn.functional.pad(x.flatten(0, 1), [1] * 6, mode="replicate").unflatten(0, (1, 2))
    torch.testing.assert_close(net(wide)[(..., *[slice(1, -1)] * 3)], net(x), atol=1e-5, rtol=1e-5)


def test_kernel_of_two_voxels_is_refused():
    with pytest.raises(ConfigError, match="patch"):
        network(kernel_sizes=2)
