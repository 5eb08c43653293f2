import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from monai_cortex.geometry.graph import chebyshev_stack
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph
from monai_cortex.networks.layers import HemisphericalConv

NSIDES = pytest.mark.parametrize("nside", [1, 2, 4])
KERNELS = pytest.mark.parametrize("kernel_size", [1, 3])


def convolution(nside=2, inputs=2, outputs=3, *, build=hemispheric_graph, terms=5, kernel_size=3):
    """Layer with random weights of order one, its bias included."""
    torch.manual_seed(7)
    layer = HemisphericalConv(inputs, outputs, build(nside), terms=terms, kernel_size=kernel_size)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.eval()


def expanded_kernel(layer):
    """The full (C_out, C_in, K, 3, 3, 3) kernel, from the two factors."""
    spherical = layer.spherical_weight[..., None, None, None]
    if not hasattr(layer, "spatial_weight") or layer.spatial_weight is None:
        return F.pad(spherical, (1, 1, 1, 1, 1, 1))
    squared_radius = torch.cartesian_prod(*[torch.tensor([1, 0, 1])] * 3).sum(1)
    return spherical * layer.spatial_weight[..., squared_radius].unflatten(-1, (3, 3, 3)).unsqueeze(2)


def plain_convolution(layer, graph, x):
    """Stack of T_k on the vertices, then one ordinary conv3d over all 27 taps."""
    stack = chebyshev_stack(graph.operator.to(x), x.movedim(2, 0), layer.spherical_weight.shape[-1])
    terms, vertices, batch, channels = stack.shape[:4]
    features = stack.permute(1, 2, 3, 0, 4, 5, 6).reshape(vertices * batch, channels * terms, *x.shape[3:])
    padded = F.pad(features, (1, 1, 1, 1, 1, 1), mode="replicate")
    y = F.conv3d(padded, expanded_kernel(layer).flatten(1, 2), layer.bias)
    return y.unflatten(0, (vertices, batch)).movedim(0, 2)


@KERNELS
@pytest.mark.parametrize("nside", [1, 2, 4, 8])
@pytest.mark.parametrize("build", [hemispheric_graph, spherical_graph])
@torch.no_grad()
def test_layer_equals_the_plain_convolution(build, nside, kernel_size):
    layer, graph = convolution(nside, build=build, kernel_size=kernel_size), build(nside)
    x = torch.randn(2, 2, len(graph.directions), 4, 3, 2)
    y = layer(x)
    assert y.shape == (2, 3, *x.shape[2:])
    torch.testing.assert_close(y, plain_convolution(layer, graph, x), atol=1e-5, rtol=1e-5)


@KERNELS
@pytest.mark.parametrize("terms", [1, 2, 3, 6])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 1), (1, 4)])
@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_layer_equals_the_plain_convolution_for_any_order(inputs, outputs, terms, kernel_size):
    layer = convolution(2, inputs, outputs, terms=terms, kernel_size=kernel_size)
    x = torch.randn(1, inputs, 24, 3, 2, 3)
    torch.testing.assert_close(layer(x), plain_convolution(layer, hemispheric_graph(2), x), atol=1e-10, rtol=0)


@KERNELS
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 2, 1), (2, 1, 4)])
@torch.no_grad()
def test_thin_volumes_are_padded_by_replication(size, kernel_size):
    layer = convolution(kernel_size=kernel_size)
    x = torch.randn(1, 2, 24, *size)
    torch.testing.assert_close(layer(x), plain_convolution(layer, hemispheric_graph(2), x), atol=1e-5, rtol=1e-5)


@KERNELS
@pytest.mark.parametrize("nside", [1, 2, 4, 8])
@torch.no_grad()
def test_hemisphere_equals_sphere_on_antipodal_signals(nside, kernel_size, antipodal_pair, relative):
    half, full = (
        convolution(nside, 2, 2, build=b, kernel_size=kernel_size) for b in (hemispheric_graph, spherical_graph)
    )
    on_sphere, on_hemisphere, kept = antipodal_pair(nside, 2, (2, 3, 2), batch=1)
    y = full(on_sphere)[:, :, kept]
    torch.testing.assert_close(half(on_hemisphere), y, atol=relative(1e-6, y), rtol=0)


@KERNELS
@pytest.mark.parametrize("nside", [1, 2, 4, 8])
@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_hemisphere_equals_sphere_to_rounding_in_double_precision(nside, kernel_size, antipodal_pair, relative):
    half, full = (
        convolution(nside, 2, 2, build=b, kernel_size=kernel_size) for b in (hemispheric_graph, spherical_graph)
    )
    on_sphere, on_hemisphere, kept = antipodal_pair(nside, 2, (2, 3, 2), batch=1, dtype=torch.float64)
    y = full(on_sphere)[:, :, kept]
    torch.testing.assert_close(half(on_hemisphere), y, atol=relative(1e-12, y), rtol=0)


@KERNELS
@pytest.mark.usefixtures("double_precision")
@torch.no_grad()
def test_constants_stay_constant_at_a_known_value(kernel_size):
    """The operator maps 1 to -1, so T_k contributes (-1)^k; the shells hold 1, 6, 12 and 8 taps."""
    layer = convolution(4, kernel_size=kernel_size)
    y = layer(torch.tensor([2.0, -3.0]).view(1, 2, 1, 1, 1, 1).expand(1, 2, 96, 3, 4, 2))
    gain = layer.spherical_weight @ (-1.0) ** torch.arange(5.0)
    if kernel_size == 3:
        gain = gain * (layer.spatial_weight @ torch.tensor([1.0, 6.0, 12.0, 8.0]))
    expected = gain @ torch.tensor([2.0, -3.0]) + layer.bias
    torch.testing.assert_close(y, expected.view(1, 3, 1, 1, 1, 1).expand_as(y), atol=1e-10, rtol=0)


@torch.no_grad()
def test_impulse_shows_the_isotropic_kernel():
    layer = convolution(2, 1, 1, terms=1).double()
    layer.spherical_weight.fill_(1)
    layer.spatial_weight.copy_(torch.tensor([10.0, 3.0, 2.0, 1.0]))
    layer.bias.zero_()
    x = torch.zeros(1, 1, 24, 5, 5, 5, dtype=torch.float64)
    x[0, 0, 6, 2, 2, 2] = 1
    y = layer(x)[0, 0]
    offset = torch.cartesian_prod(*[torch.arange(-2, 3)] * 3)
    table = torch.tensor([10.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    inside = offset.abs().amax(1) <= 1
    expected = torch.where(inside, table[(offset.abs().sum(1)).clamp(max=3)], 0).view(5, 5, 5)
    torch.testing.assert_close(y[6], expected, atol=1e-12, rtol=0)
    assert y.sum() == y[6].sum()


@torch.no_grad()
def test_all_cube_symmetries_commute(cube_symmetries, relative):
    layer, x = convolution(2), torch.randn(1, 2, 24, 4, 4, 4)
    y = layer(x)
    assert len(cube_symmetries) == 48
    for symmetry in cube_symmetries:
        torch.testing.assert_close(layer(symmetry(x)), symmetry(y), atol=relative(1e-5, y), rtol=0)


@NSIDES
@pytest.mark.parametrize("build", [hemispheric_graph, spherical_graph])
@torch.no_grad()
def test_all_healpix_rotations_commute(build, nside, healpix_rotations, vertex_permutation, relative):
    layer, graph = convolution(nside, build=build), build(nside)
    x = torch.randn(1, 2, len(graph.directions), 2, 2, 3)
    y = layer(x)
    assert len(healpix_rotations) == 8
    for matrix in healpix_rotations:
        index = vertex_permutation(graph.directions, matrix, build is hemispheric_graph)
        torch.testing.assert_close(layer(x[:, :, index]), y[:, :, index], atol=relative(1e-5, y), rtol=0)


@torch.no_grad()
def test_layer_is_affine():
    layer = convolution().double()
    x, z = torch.randn(2, 1, 2, 24, 3, 3, 3, dtype=torch.float64)
    zero = layer(torch.zeros_like(x))
    torch.testing.assert_close(zero, layer.bias.view(1, 3, 1, 1, 1, 1).expand_as(zero), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(2 * x - z), 2 * layer(x) - layer(z), atol=1e-10, rtol=0)


@pytest.mark.parametrize(("inputs", "outputs", "terms"), [(32, 64, 5), (3, 2, 4)])
def test_parameters_are_counted_exactly(inputs, outputs, terms):
    mixed, spherical = (convolution(1, inputs, outputs, terms=terms, kernel_size=k) for k in (3, 1))
    shapes = {"spherical_weight": (outputs, inputs, terms), "spatial_weight": (outputs, inputs, 4), "bias": (outputs,)}
    assert {name: tuple(value.shape) for name, value in mixed.state_dict().items()} == shapes
    del shapes["spatial_weight"]
    assert {name: tuple(value.shape) for name, value in spherical.state_dict().items()} == shapes
    assert {name for name, _ in mixed.named_parameters()} == {*shapes, "spatial_weight"}


@pytest.mark.parametrize(("nside", "vertices", "megabytes"), [(4, 96, 0.18), (8, 384, 2.9)])
def test_precomputed_stack_takes_four_bytes_per_entry(nside, vertices, megabytes):
    graph = hemispheric_graph(nside)
    stack = chebyshev_stack(graph.operator, torch.eye(vertices, dtype=torch.float64), 5).float()
    assert stack.nbytes == 4 * 5 * vertices**2
    assert stack.nbytes / 1e6 == pytest.approx(megabytes, rel=0.05)


def multiply_adds(layer, x):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    return counter.get_total_flops() / 2


def test_multiply_adds_stay_below_the_plain_convolution():
    """4 K V C_in C_out n for the shells, against 27 K V C_in C_out n; products on the sphere in place go uncounted."""
    inputs, outputs, voxels, vertices = 16, 16, 4**3, 96
    x = torch.randn(1, inputs, vertices, 4, 4, 4)
    counted = multiply_adds(convolution(4, inputs, outputs), x)
    bound = 4 * 5 * vertices * inputs * outputs * voxels + 5 * vertices**2 * max(inputs, outputs) * voxels
    assert 0 < counted <= bound
    full = multiply_adds(convolution(4, inputs, outputs, build=spherical_graph), torch.cat([x, x], 2))
    assert counted <= full / 2


def test_gradients_reach_every_parameter():
    layer = convolution()
    x = torch.randn(1, 2, 24, 3, 3, 3, requires_grad=True)
    layer(x).square().sum().backward()
    for tensor in (x, *layer.parameters()):
        assert tensor.grad.isfinite().all()
        assert (tensor.grad != 0).any()


def test_initial_response_neither_vanishes_nor_explodes():
    torch.manual_seed(0)
    layer = HemisphericalConv(16, 16, hemispheric_graph(2))
    with torch.no_grad():
        scale = layer(torch.randn(1, 16, 24, 4, 4, 4)).std().item()
    assert 0.05 < scale < 20


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 5}, {"terms": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match=str(math.prod(options.values()))):
        HemisphericalConv(1, 1, hemispheric_graph(1), **options)
