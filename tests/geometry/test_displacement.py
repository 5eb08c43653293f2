"""Fields that are known on paper: affine maps, turns, flows and their inverses."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.displacement import (
    compose,
    displaced_points,
    exponential,
    invert,
    jacobian_determinant,
    voxel_grid,
    warp,
)

SHAPE = (9, 8, 7)
NUMBERS = st.floats(-0.8, 0.8)


def grid(shape=SHAPE):
    return voxel_grid(shape, torch.zeros((), dtype=torch.float64))


def affine_field(matrix, shift=(0.0, 0.0, 0.0), shape=SHAPE):
    """u = matrix (x - center) + shift, (1, 3, I, J, K)."""
    center = (torch.tensor(shape).double() - 1) / 2
    offset = grid(shape) - center.view(3, 1, 1, 1)
    moved = torch.tensordot(torch.as_tensor(matrix, dtype=torch.float64), offset, dims=1)
    return (moved + torch.tensor(shift, dtype=torch.float64).view(3, 1, 1, 1))[None]


def smooth_field(size, shape=(24, 22, 20), seed=0):
    """Waves that vanish on the border, at most `size` voxels in each channel."""
    chance = torch.Generator().manual_seed(seed)
    phases = [math.pi * line / (n - 1) for line, n in zip(grid(shape), shape, strict=True)]
    hill = phases[0].sin() * phases[1].sin() * phases[2].sin()
    rows = torch.rand(3, 3, generator=chance).double() * 1.5 + 0.5
    waves = torch.stack([(a * phases[0] + b * phases[1] + c * phases[2]).cos() for a, b, c in rows])
    return size * (hill * waves)[None]


def image(shape=SHAPE, channels=2, seed=0):
    return torch.randn(1, channels, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def permuted(tensor, order, *, vectors=False):
    """The same image, or field, with its spatial axes in another order."""
    moved = tensor.permute(0, 1, *(2 + axis for axis in order))
    return moved[:, list(order)] if vectors else moved


def mirrored(tensor, axis, *, vectors=False):
    sign = torch.ones(3, dtype=tensor.dtype)
    sign[axis] = -1
    flipped = tensor.flip(2 + axis)
    return flipped * sign.view(1, 3, 1, 1, 1) if vectors else flipped


def test_grid_counts_voxels():
    nodes = grid((2, 3, 4))
    assert nodes.shape == (3, 2, 3, 4)
    assert nodes[:, 1, 2, 3].tolist() == [1, 2, 3]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_warp_pulls_back(axis, mode):
    ddf = torch.zeros(1, 3, *SHAPE, dtype=torch.float64)
    ddf[:, axis] = 2
    found, source = warp(image(), ddf, mode), image()
    size = SHAPE[axis]
    torch.testing.assert_close(
        found.narrow(2 + axis, 0, size - 2), source.narrow(2 + axis, 2, size - 2), rtol=0, atol=1e-9
    )
    last = source.narrow(2 + axis, size - 1, 1)
    torch.testing.assert_close(found.narrow(2 + axis, size - 1, 1), last, rtol=0, atol=1e-9)
    outside = warp(source, ddf, mode, "zeros").narrow(2 + axis, size - 2, 2)
    assert outside.abs().max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(shift=st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_linear_images_are_warped_exactly(shift):
    slope = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
    ramp = torch.tensordot(slope, grid(), dims=1)[None, None]
    ddf = affine_field(torch.zeros(3, 3), shift)
    expected = ramp + slope @ torch.tensor(shift, dtype=torch.float64)
    inside = (slice(None), slice(None), *[slice(1, -1)] * 3)
    torch.testing.assert_close(warp(ramp, ddf)[inside], expected[inside], rtol=0, atol=1e-9)


def test_nearest_keeps_labels_and_bilinear_mixes_them():
    labels = torch.arange(SHAPE[0]).double().view(1, 1, -1, 1, 1).expand(1, 1, *SHAPE)
    ddf = affine_field(torch.zeros(3, 3), (0.4, 0, 0))
    torch.testing.assert_close(warp(labels, ddf, "nearest"), labels, rtol=0, atol=0)
    assert warp(labels, ddf)[0, 0, 2, 3, 3].item() == pytest.approx(2.4)


def test_warp_reads_another_grid():
    source = image((12, 5, 6))
    ddf = torch.zeros(1, 3, 4, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(warp(source, ddf), source[:, :, :4, :3, :2], rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=9, max_size=9))
def test_determinant_of_affine_fields_is_exact_at_the_borders_too(numbers):
    matrix = torch.tensor(numbers, dtype=torch.float64).view(3, 3)
    found = jacobian_determinant(affine_field(matrix, (0.5, -1.0, 2.0)))
    expected = torch.linalg.det(torch.eye(3, dtype=torch.float64) + matrix)
    assert found.shape == (1, 1, *SHAPE)
    torch.testing.assert_close(found, expected.expand_as(found), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("scale", "volume"), [(1.0, 1.0), (1.2, 1.728), (0.5, 0.125), (-0.5, -0.125)])
def test_determinant_of_a_scale_is_its_cube(scale, volume):
    found = jacobian_determinant(affine_field((scale - 1) * torch.eye(3)))
    torch.testing.assert_close(found, torch.full_like(found, volume))


def test_determinant_of_torsion_is_one():
    """Slices turn by an angle that grows along the axis: x, y are rotated, z stays."""
    angle = 0.02
    shape = (31, 31, 31)
    nodes = grid(shape) - 15
    turn = angle * nodes[2]
    x = turn.cos() * nodes[0] - turn.sin() * nodes[1]
    y = turn.sin() * nodes[0] + turn.cos() * nodes[1]
    ddf = (torch.stack([x, y, nodes[2]]) - nodes)[None]
    # Within a slice the map is linear, and along the axis central differences keep the determinant.
    torch.testing.assert_close(jacobian_determinant(ddf), torch.ones(1, 1, *shape, dtype=torch.float64))


def test_one_slice_has_a_determinant():
    found = jacobian_determinant(affine_field(torch.diag(torch.tensor([0.1, 0.2, 0.0])), shape=(5, 6, 1)))
    torch.testing.assert_close(found, torch.full_like(found, 1.1 * 1.2))


def test_composition_of_affine_fields_is_the_matrix_product():
    first, second = 0.2 * torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    shape = (17, 17, 17)
    expected = affine_field(first + second + first @ second, shape=shape)
    found = compose(affine_field(first, shape=shape), affine_field(second, shape=shape))
    middle = (slice(None), slice(None), *[slice(5, -5)] * 3)
    torch.testing.assert_close(found[middle], expected[middle], rtol=0, atol=1e-9)


def test_warping_by_the_composition_is_warping_twice():
    # Whole shifts, so that no image is interpolated.
    first, second = (affine_field(torch.zeros(3, 3), shift) for shift in ((1, 0, 2), (0, -2, 1)))
    twice = warp(warp(image(), first), second)
    once = warp(image(), compose(first, second))
    torch.testing.assert_close(once, twice, rtol=0, atol=1e-9)


def test_composition_with_no_displacement_changes_nothing():
    ddf = smooth_field(2.0)
    for pair in ((ddf, torch.zeros_like(ddf)), (torch.zeros_like(ddf), ddf)):
        torch.testing.assert_close(compose(*pair), ddf, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [0.5, 1.5, 2.5])
def test_a_field_after_its_inverse_is_the_identity(size):
    ddf = smooth_field(size)
    assert jacobian_determinant(ddf).min() > 0
    inverse = invert(ddf, tolerance=1e-6)
    assert compose(ddf, inverse).abs().max() < 1e-5
    assert (inverse + ddf).abs().max() > 0.01, "the negative field is no inverse"


def test_inverse_of_an_affine_field_is_known():
    matrix = 0.15 * torch.randn(3, 3, generator=torch.Generator().manual_seed(3)).double()
    shape = (21, 21, 21)
    expected = affine_field(torch.linalg.inv(torch.eye(3) + matrix) - torch.eye(3), shape=shape)
    middle = (slice(None), slice(None), *[slice(6, -6)] * 3)
    found = invert(affine_field(matrix, shape=shape), tolerance=1e-9)
    torch.testing.assert_close(found[middle], expected[middle], rtol=0, atol=1e-6)


def test_folds_do_not_break_the_inversion():
    assert invert(-1.5 * affine_field(torch.eye(3))).isfinite().all()


@pytest.mark.parametrize(
    ("size", "steps", "mean"), [(2.0, 0, 0.06), (6.0, 0, 2.1), (2.0, 7, 0.002), (4.0, 7, 0.03), (6.0, 7, 0.4)]
)
def test_inverse_is_nowhere_worse_than_the_negative_field(size, steps, mean):
    """Rough fields that fold, which have no inverse everywhere, and their flows, which have one."""
    rough = torch.randn(1, 3, 4, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ddf = torch.nn.functional.interpolate(size * rough, (24, 24, 10), mode="trilinear", align_corners=True)
    ddf = exponential(ddf, steps) if steps else ddf
    left, begin = (compose(ddf, found).norm(dim=1) for found in (invert(ddf), -ddf))
    assert (left <= begin).all()
    assert left.mean() < mean


def test_inverse_is_exact_where_the_field_is_regular_however_it_folds_elsewhere():
    ddf = torch.cat([smooth_field(1.5), 8 * smooth_field(1.5, seed=1)], 4)
    assert jacobian_determinant(ddf).min() < 0
    apart = torch.cat([invert(smooth_field(1.5)), invert(ddf)[..., 20:]], 4)
    torch.testing.assert_close(invert(ddf)[..., :12], apart[..., :12], rtol=0, atol=2e-3)


def test_exponential_is_what_integration_says():
    velocity = smooth_field(1.5)
    nodes = grid(velocity.shape[2:])[None]
    moved, step = nodes.clone(), 1 / 32

    def at(places):
        return warp(velocity, places - nodes)

    for _ in range(32):  # Runge and Kutta's fourth order
        one = at(moved)
        two = at(moved + step / 2 * one)
        three = at(moved + step / 2 * two)
        moved = moved + step / 6 * (one + 2 * two + 2 * three + at(moved + step * three))
    error = (exponential(velocity) - (moved - nodes)).abs()
    assert error.max() < 0.05
    assert error.mean() < 0.005


@pytest.mark.parametrize("steps", [0, 3, 7])
def test_exponential_of_a_constant_velocity_is_the_velocity(steps):
    velocity = affine_field(torch.zeros(3, 3), (1.0, -2.0, 0.5))
    torch.testing.assert_close(exponential(velocity, steps), velocity, rtol=0, atol=1e-9)


def test_exponential_of_a_linear_velocity_is_the_matrix_exponential():
    matrix = torch.tensor([[0, -0.3, 0], [0.3, 0, 0], [0, 0, 0.0]], dtype=torch.float64)
    shape = (33, 33, 5)
    found = exponential(affine_field(matrix, shape=shape), steps=12)
    expected = affine_field(torch.linalg.matrix_exp(matrix) - torch.eye(3), shape=shape)
    middle = (slice(None), slice(None), slice(10, -10), slice(10, -10))
    torch.testing.assert_close(found[middle], expected[middle], rtol=0, atol=2e-3)


def test_exponential_of_the_negative_velocity_is_the_inverse():
    velocity = smooth_field(1.5)
    assert compose(exponential(velocity), exponential(-velocity)).abs().max() < 0.1


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_order_of_axes_does_not_matter(order):
    ddf = smooth_field(1.5, (10, 11, 12))
    source, turned = image((10, 11, 12)), permuted(ddf, order, vectors=True)
    close = {"rtol": 0, "atol": 1e-9}
    torch.testing.assert_close(warp(permuted(source, order), turned), permuted(warp(source, ddf), order), **close)
    torch.testing.assert_close(jacobian_determinant(turned), permuted(jacobian_determinant(ddf), order), **close)
    for function in (exponential, invert, lambda field: compose(field, field)):
        torch.testing.assert_close(function(turned), permuted(function(ddf), order, vectors=True), **close)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirror_images_give_mirrored_results(axis):
    ddf = smooth_field(1.5, (10, 11, 12))
    source, turned = image((10, 11, 12)), mirrored(ddf, axis, vectors=True)
    close = {"rtol": 0, "atol": 1e-9}
    torch.testing.assert_close(warp(mirrored(source, axis), turned), mirrored(warp(source, ddf), axis), **close)
    torch.testing.assert_close(jacobian_determinant(turned), mirrored(jacobian_determinant(ddf), axis), **close)
    torch.testing.assert_close(exponential(turned), mirrored(exponential(ddf), axis, vectors=True), **close)


def test_each_of_a_batch_is_for_itself():
    fields = torch.cat([smooth_field(1.0, seed=1), smooth_field(2.0, seed=2)])
    close = {"rtol": 0, "atol": 1e-9}
    for function in (jacobian_determinant, exponential, lambda field: invert(field, 4, 0.0)):
        torch.testing.assert_close(function(fields)[1:], function(fields[1:]), **close)


def test_points_go_where_the_image_is_read():
    ddf = smooth_field(2.0)[0]
    voxels = torch.tensor([[3, 4, 5], [10, 11, 12], [0, 0, 0]])
    expected = voxels + ddf[:, voxels[:, 0], voxels[:, 1], voxels[:, 2]].T
    torch.testing.assert_close(displaced_points(voxels.double(), ddf), expected, rtol=0, atol=1e-9)


def test_points_between_and_beyond_voxels():
    ddf = affine_field(torch.eye(3, dtype=torch.float64) / 10)[0]
    points = torch.tensor([[1.5, 2.25, 3.0], [100.0, 3.5, 3.0], [-5.0, 3.5, 3.0]], dtype=torch.float64)
    expected = torch.tensor([[1.25, 2.125, 3.0], [100.4, 3.5, 3.0], [-5.4, 3.5, 3.0]], dtype=torch.float64)
    torch.testing.assert_close(displaced_points(points, ddf), expected, rtol=0, atol=1e-9)
    assert displaced_points(points[:0], ddf).shape == (0, 3)


def test_gradients_reach_field_and_image():
    ddf = smooth_field(1.0, (6, 6, 6)).requires_grad_()
    source = image((6, 6, 6)).requires_grad_()
    (warp(source, exponential(ddf)).square().sum() + jacobian_determinant(ddf).square().sum()).backward()
    assert ddf.grad.abs().sum() > 0
    assert source.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(3, 4, 4, 4), (1, 2, 4, 4, 4), (1, 3, 4, 4)])
@pytest.mark.parametrize(
    "function",
    [
        jacobian_determinant,
        invert,
        exponential,
        lambda field: compose(field, field),
        lambda field: warp(image((4, 4, 4)), field),
        lambda field: displaced_points(torch.zeros(2, 3), field[0]),
    ],
)
def test_other_shapes_are_refused(function, shape):
    with pytest.raises(GeometryError, match="not a displacement field"):
        function(torch.zeros(shape))
