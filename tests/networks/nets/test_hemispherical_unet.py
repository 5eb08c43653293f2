import pytest
import torch
from torch import nn

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.layers import HemisphericalConv
from monai_cortex.networks.nets import HemisphericalUNet

KERNELS = pytest.mark.parametrize("kernel_sizes", [3, (3, 3, 3), (1, 3, 1), (1, 1, 1)])
HEMISPHERE = pytest.mark.parametrize("hemisphere", [True, False])


def network(inputs=2, outputs=2, *, seed=0, **options):
    """Small network with outputs of order one, whose normalization has seen a batch."""
    torch.manual_seed(seed)
    options = {"channels": (4, 6, 8), **options}
    net = HemisphericalUNet(inputs, outputs, **options)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm1d)):
        norm.momentum = None
    nn.init.normal_([m for m in net.modules() if isinstance(m, HemisphericalConv)][-1].spherical_weight)
    vertices = 6 * options.get("nside", 4) ** 2 * (1 if options.get("hemisphere", True) else 2)
    with torch.no_grad():
        net.train()(torch.randn(1, inputs, vertices, 4, 4, 4))
    return net.eval()


def sphere_pair(**options):
    """The same weights on the hemisphere and on the sphere."""
    half, full = network(hemisphere=True, **options), network(hemisphere=False, seed=1, **options)
    full.load_state_dict(half.state_dict())
    return half, full


@KERNELS
@HEMISPHERE
@torch.no_grad()
def test_sphere_and_grid_keep_their_size(hemisphere, kernel_sizes):
    net = network(3, 2, kernel_sizes=kernel_sizes, hemisphere=hemisphere)
    vertices = 96 if hemisphere else 192
    y = net(torch.randn(2, 3, vertices, 4, 4, 8))
    assert y.shape == (2, 2, vertices, 4, 4, 8)
    assert 0.1 < y.std() < 10


@pytest.mark.parametrize(("nside", "channels"), [(1, (3,)), (2, (3, 4)), (4, (2, 3)), (8, (2, 3, 4, 4))])
@torch.no_grad()
def test_resolution_and_depth_are_free(nside, channels):
    net = network(nside=nside, channels=channels)
    x = torch.randn(1, 2, 6 * nside**2, 4, 4, 4)
    assert net(x).shape == x.shape


@torch.no_grad()
def test_defaults_are_those_of_the_light_preset():
    net = HemisphericalUNet(2, 1).eval()
    assert net(torch.randn(1, 2, 96, 4, 4, 4)).shape == (1, 1, 96, 4, 4, 4)


@KERNELS
def test_weights_are_the_same_for_sphere_and_hemisphere(kernel_sizes):
    half, full = (network(kernel_sizes=kernel_sizes, hemisphere=h) for h in (True, False))
    shapes = [{name: tuple(v.shape) for name, v in net.state_dict().items()} for net in (half, full)]
    assert shapes[0] == shapes[1]
    vertex_counts = {6, 12, 24, 48, 96, 192}
    assert not any(
        vertex_counts & set(shape)
        for name, shape in shapes[0].items()
        if "spherical_weight" not in name and len(shape) == 2
    )


@KERNELS
@pytest.mark.parametrize(("training", "bound"), [(False, 1e-5), (True, 5e-5)])
@torch.no_grad()
def test_hemisphere_equals_sphere_on_antipodal_signals(training, bound, kernel_sizes, antipodal_pair, relative):
    half, full = sphere_pair(kernel_sizes=kernel_sizes)
    on_sphere, on_hemisphere, kept = antipodal_pair(4, 2, (4, 4, 4))
    y = full.train(training)(on_sphere)[:, :, kept]
    torch.testing.assert_close(half.train(training)(on_hemisphere), y, atol=relative(bound, y), rtol=0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_hemisphere_equals_sphere_to_rounding_in_double_precision(training, antipodal_pair, relative):
    half, full = (net.train(training) for net in sphere_pair())
    on_sphere, on_hemisphere, kept = antipodal_pair(4, 2, (4, 4, 4), dtype=torch.float64)
    y = full(on_sphere)[:, :, kept]
    torch.testing.assert_close(half(on_hemisphere), y, atol=relative(1e-10, y), rtol=0)


def test_running_statistics_coincide(antipodal_pair):
    half, full = sphere_pair()
    on_sphere, on_hemisphere, _ = antipodal_pair(4, 2, (4, 4, 4))
    with torch.no_grad():
        half.train()(on_hemisphere)
        full.train()(on_sphere)
    expected, buffers = full.state_dict(), {n for n, _ in half.named_buffers()} & set(half.state_dict())
    means = [name for name in buffers if name.endswith("running_mean")]
    assert means
    for name in means:
        torch.testing.assert_close(half.state_dict()[name], expected[name], atol=5e-5, rtol=1e-4)


@pytest.mark.usefixtures("double_precision")
def test_gradients_of_the_weights_coincide(antipodal_pair):
    """A sum over the sphere is twice the sum over the hemisphere, and so is its gradient."""
    half, full = sphere_pair()
    on_sphere, on_hemisphere, _ = antipodal_pair(4, 2, (4, 4, 4), dtype=torch.float64)
    half(on_hemisphere).square().sum().backward()
    full(on_sphere).square().sum().backward()
    expected = dict(full.named_parameters())
    for name, parameter in half.named_parameters():
        if not parameter.requires_grad:
            continue
        size = expected[name].grad.abs().max().item()
        assert size > 0, name
        torch.testing.assert_close(2 * parameter.grad, expected[name].grad, atol=1e-9 * size, rtol=1e-7)


@torch.no_grad()
def test_all_cube_symmetries_commute(cube_symmetries, relative):
    net, x = network(channels=(3, 4)), torch.randn(1, 2, 96, 4, 4, 4)
    y = net(x)
    for symmetry in cube_symmetries:
        torch.testing.assert_close(net(symmetry(x)), symmetry(y), atol=relative(1e-5, y), rtol=0)


@HEMISPHERE
@torch.no_grad()
def test_all_healpix_rotations_commute(hemisphere, healpix_rotations, vertex_permutation, relative):
    net = network(hemisphere=hemisphere)
    directions = (hemispheric_graph if hemisphere else spherical_graph)(4).directions
    x = torch.randn(1, 2, len(directions), 4, 2, 2)
    y = net(x)
    for matrix in healpix_rotations:
        index = vertex_permutation(directions, matrix, hemisphere)
        torch.testing.assert_close(net(x[:, :, index]), y[:, :, index], atol=relative(1e-5, y), rtol=0)


@KERNELS
@HEMISPHERE
@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_constants_stay_constant(hemisphere, kernel_sizes, relative):
    net = network(kernel_sizes=kernel_sizes, hemisphere=hemisphere)
    y = net(torch.tensor([0.7, -1.3]).view(1, 2, 1, 1, 1, 1).expand(1, 2, 96 if hemisphere else 192, 4, 4, 4))
    torch.testing.assert_close(y, y[:, :, :1, :1, :1, :1].expand_as(y), atol=relative(1e-10, y), rtol=0)


@torch.no_grad()
def test_voxels_are_independent_without_a_spatial_kernel():
    net = network(kernel_sizes=(1, 1, 1))
    x = torch.randn(1, 2, 96, 4, 4, 4)
    changed = x.clone()
    changed[..., 1, 2, 3] += 1
    moved = (net(changed) - net(x)).abs().amax((0, 1, 2)) > 1e-6
    assert moved[1, 2, 3]
    assert moved.sum() == 1


@torch.no_grad()
def test_voxels_share_with_neighbors_through_a_spatial_kernel():
    net = network(kernel_sizes=(3, 3, 3))
    x = torch.randn(1, 2, 96, 4, 4, 4)
    changed = x.clone()
    changed[..., 1, 1, 1] += 1
    moved = (net(changed) - net(x)).abs().amax((0, 1, 2)) > 1e-6
    assert moved[1, 1, 2]
    assert moved[2, 2, 2]


@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_every_level_of_the_sphere_reaches_the_whole_hemisphere():
    """A rectifier may hide a change in one voxel, hardly in 64."""
    net, x = network(kernel_sizes=(1, 1, 1)), torch.randn(1, 2, 96, 4, 4, 4)
    changed = x.clone()
    changed[:, :, 0] += 1
    assert ((net(changed) - net(x)).abs().amax((0, 1, 3, 4, 5)) > 1e-6).all()


@HEMISPHERE
@torch.no_grad()
def test_skips_keep_what_pooling_loses(hemisphere):
    """With T_0 alone vertices meet by pooling only: without skips the four children of a vertex would be equal."""
    net = network(terms=1, kernel_sizes=1, hemisphere=hemisphere)
    children = (hemispheric_graph if hemisphere else spherical_graph)(2).children
    x = torch.randn(1, 2, children.numel(), 4, 4, 4)
    family = net(x)[:, :, children]
    assert (family.std(3) > 1e-3).float().mean() > 0.9
    changed = x.clone()
    changed[:, :, children[0, 0]] += 1
    moved = (net(changed) - net(x)).abs().amax((0, 1, 3, 4, 5)) > 1e-6
    relatives = (hemispheric_graph if hemisphere else spherical_graph)(1).children[0]
    assert sorted(moved.nonzero()[:, 0].tolist()) == sorted(children[relatives].flatten().tolist())


@torch.no_grad()
def test_batch_members_are_independent_in_evaluation():
    net, x = network(), torch.randn(3, 2, 96, 4, 4, 4)
    alone = torch.cat([net(sample[None]) for sample in x])
    torch.testing.assert_close(net(x), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["kernel_sizes", "spatial_pooling"])
@pytest.mark.parametrize("count", [1, 4])
def test_one_value_per_level_is_needed(name, count):
    with pytest.raises(ConfigError, match=f"{name} does not match.*\n.*{count} values"):
        HemisphericalUNet(1, 1, **{name: [True] * count})


@pytest.mark.parametrize("kernel_sizes", [2, (1, 2, 1), (1, 5, 1), 0])
def test_other_kernels_are_refused_in_terms_of_the_patch(kernel_sizes):
    with pytest.raises(ConfigError, match="patch 1, or a patch of at least 3"):
        HemisphericalUNet(1, 1, kernel_sizes=kernel_sizes)


def test_state_survives_a_round_trip(tmp_path):
    net, other = network(), network(seed=5)
    x = torch.randn(1, 2, 96, 4, 4, 4)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    with torch.no_grad():
        torch.testing.assert_close(other(x), net(x), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("nside", "channels", "least"), [(2, (2, 2, 2), 4), (6, (2, 2), 2), (0, (2,), 1), (8, (2,) * 5, 16), (4, (), 1)]
)
def test_sphere_that_cannot_be_halved_so_often_is_refused(nside, channels, least):
    with pytest.raises(ConfigError, match=f"nside {nside}, .* {len(channels)} levels\n.*at least {least},"):
        HemisphericalUNet(1, 1, nside=nside, channels=channels)


POOLING = pytest.mark.parametrize("spatial_pooling", [True, (True, False), (False, True)])


@POOLING
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 3, 3), (4, 4, 4), (2, 5, 7)])
@torch.no_grad()
def test_spatial_pooling_takes_grids_of_any_size(size, spatial_pooling):
    x = torch.randn(2, 2, 96, *size)
    y = network(spatial_pooling=spatial_pooling)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


@pytest.mark.parametrize(
    ("spatial_pooling", "sizes"),
    [(True, [8, 4, 2]), ((True, False), [8, 4, 4]), ((False, True), [8, 8, 4]), (False, [8] * 3)],
)
@torch.no_grad()
def test_chosen_levels_pool_the_voxels(spatial_pooling, sizes):
    net, found = network(spatial_pooling=spatial_pooling), []
    for part in (*net.down, net.bottom):
        part.register_forward_hook(lambda _, inputs, __: found.append(inputs[0].shape[-1]))
    net(torch.randn(1, 2, 96, 8, 8, 8))
    assert found == sizes


@torch.no_grad()
def test_spatial_pooling_has_no_weights_of_its_own():
    plain, pooled = network(), network(spatial_pooling=True)
    pooled.load_state_dict(plain.state_dict())
    x = torch.randn(1, 2, 96, 1, 1, 1)
    torch.testing.assert_close(pooled(x), plain(x))
    x = torch.randn(1, 2, 96, 4, 4, 4)
    assert (pooled(x) - plain(x)).abs().max() > 1e-3


@POOLING
@pytest.mark.parametrize("size", [(4, 4, 4), (3, 3, 3), (5, 5, 5)])
@torch.no_grad()
def test_all_cube_symmetries_commute_with_spatial_pooling(cube_symmetries, relative, spatial_pooling, size):
    """Odd sizes too: their pairs overlap instead of leaving one voxel over."""
    net, x = network(channels=(3, 4, 4), spatial_pooling=spatial_pooling), torch.randn(1, 2, 96, *size)
    y = net(x)
    for symmetry in cube_symmetries:
        torch.testing.assert_close(net(symmetry(x)), symmetry(y), atol=relative(1e-5, y), rtol=0)


@torch.no_grad()
def test_hemisphere_equals_sphere_with_spatial_pooling(antipodal_pair, relative):
    half, full = sphere_pair(spatial_pooling=True)
    on_sphere, on_hemisphere, kept = antipodal_pair(4, 2, (4, 3, 4))
    y = full(on_sphere)[:, :, kept]
    torch.testing.assert_close(half(on_hemisphere), y, atol=relative(1e-5, y), rtol=0)


def test_options_of_the_blocks_are_handed_on():
    assert network(terms=2).down[0][1].conv.spherical_weight.shape == (4, 4, 2)
    with pytest.raises(TypeError, match="trems"):
        HemisphericalUNet(1, 1, trems=2)
