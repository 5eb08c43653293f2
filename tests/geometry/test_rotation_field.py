"""Flows of rotation fields on the sphere, against rotations and flows known in closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.rotation_field import compose, exponential, invert, rotate, rotation_matrix
from monai_cortex.geometry.sphere import arc_angle

X, Y, Z = torch.eye(3, dtype=torch.float64)
SEEDS = st.integers(0, 2**31)
RARELY = settings(deadline=None, max_examples=20)
SMALL_ANGLES = [0.0, 1e-300, 1e-20, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1]
# Largest angle in degree, then mean and largest angle between exp(-w) exp(w) and the identity: spec 3.5, level 5.
CONSISTENCY = [(6, 0.009, 0.04), (17, 0.05, 0.24)]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, *shape):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def unit(seed, *shape):
    return torch.nn.functional.normalize(normal(seed, *shape, 3), dim=-1)


def axis_angle(seed, largest=math.pi):
    return unit(seed) * largest * torch.rand((), generator=generator(seed + 1), dtype=torch.float64)


def smooth_field(vertices, seed, angle, degree=12):
    """Coefficients of standard deviation (1 + l)^-1.5 without l = 0, scaled to a largest angle in radian."""
    degrees = harmonic_degrees(degree).double()
    coefficients = normal(seed, len(degrees), 3) * ((1 + degrees) ** -1.5 * (degrees > 0))[:, None]
    omega = real_harmonics(vertices, degree) @ coefficients
    return omega * angle / omega.norm(dim=1).max()


def degrees_between(first, second):
    return torch.rad2deg(arc_angle(first, second))


def wave(points, amount):
    """Smooth map near the identity, without folds, that is no rotation."""
    x, y, z = points.unbind(-1)
    shift = torch.stack([torch.sin(2 * y), z * x, torch.cos(3 * x)], -1)
    return torch.nn.functional.normalize(points + amount * shift, dim=-1)


def test_quarter_turns_exchange_the_axes():
    turned = rotate(math.pi / 2 * torch.stack([X, Y, Z]), torch.stack([Y, Z, X]))
    torch.testing.assert_close(turned, torch.stack([Z, X, Y]), atol=1e-15, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_rotation_agrees_with_scipy_at_any_length(seed):
    omega, points = 2 * normal(seed, 20, 3), 3 * normal(seed + 1, 20, 3)
    expected = Rotation.from_rotvec(omega.numpy()).apply(points.numpy())
    torch.testing.assert_close(rotate(omega, points), torch.from_numpy(expected), atol=1e-12, rtol=0)


@pytest.mark.parametrize("angle", SMALL_ANGLES)
def test_small_angles_move_by_the_sine_to_full_relative_accuracy(angle):
    turned = rotate(angle * Z, X)
    assert turned[1].item() == pytest.approx(math.sin(angle), rel=1e-15, abs=0)
    assert turned[0].item() == pytest.approx(math.cos(angle), rel=1e-15)
    assert turned[2] == 0


@pytest.mark.parametrize("angle", [1e-4, 1e-3, 3e-3, 1e-2, 0.1, 1.0])
def test_single_precision_rounds_the_double_at_every_angle(angle):
    omega, points = angle * unit(0, 100), unit(1, 100)
    single = rotate(omega.float(), points.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), rotate(omega, points), atol=3e-7, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_rotation_keeps_lengths_and_its_axis_and_is_undone_by_the_opposite(seed):
    omega, points = 2 * normal(seed, 20, 3), normal(seed + 1, 20, 3)
    turned = rotate(omega, points)
    torch.testing.assert_close(turned.norm(dim=1), points.norm(dim=1), atol=1e-13, rtol=0)
    torch.testing.assert_close((turned * omega).sum(1), (points * omega).sum(1), atol=1e-12, rtol=0)
    torch.testing.assert_close(rotate(-omega, turned), points, atol=1e-13, rtol=0)
    torch.testing.assert_close(rotate(omega, omega), omega, atol=1e-13, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_rotations_about_one_axis_add_up_and_full_turns_do_nothing(seed):
    axis, points = unit(seed).expand(10, 3), normal(seed + 1, 10, 3)
    torch.testing.assert_close(rotate(2 * math.pi * axis, points), points, atol=1e-14, rtol=1e-14)
    torch.testing.assert_close(rotate(0.7 * axis, rotate(1.1 * axis, points)), rotate(1.8 * axis, points))


def test_leading_axes_are_kept():
    omega, points = normal(0, 2, 1, 3), normal(1, 2, 5, 3)
    expected = torch.stack([torch.stack([rotate(w[0], p) for p in row]) for w, row in zip(omega, points, strict=True)])
    torch.testing.assert_close(rotate(omega, points), expected, atol=1e-15, rtol=0)


@pytest.mark.parametrize("angle", SMALL_ANGLES)
def test_gradient_of_a_small_rotation_is_the_cross_product(angle):
    """To first order x + w x x, so d(g . x)/dw = x x g."""
    omega = (angle * unit(0, 4)).requires_grad_()
    points, test = unit(1, 4), unit(2, 4)
    slope = torch.autograd.grad((rotate(omega, points) * test).sum(), omega)[0]
    assert slope.isfinite().all()
    torch.testing.assert_close(slope, torch.linalg.cross(points, test), atol=1e-12 + 2 * angle, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 1e-2, 1.0, 3.0])
def test_first_and_second_derivatives_agree_with_differences(angle):
    omega = (angle * unit(3, 2)).requires_grad_()
    points = unit(4, 2).requires_grad_()
    assert torch.autograd.gradcheck(rotate, (omega, points))
    assert torch.autograd.gradgradcheck(rotate, (omega, points))


@given(seed=SEEDS)
@RARELY
def test_matrix_is_the_exponential_of_the_cross_product(seed):
    omega = axis_angle(seed, 2 * math.pi)
    cross = torch.linalg.cross(omega.expand(3, 3), torch.eye(3, dtype=torch.float64)).T
    matrix = rotation_matrix(omega)
    torch.testing.assert_close(matrix, torch.linalg.matrix_exp(cross), atol=1e-12, rtol=0)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64), atol=1e-14, rtol=0)
    assert torch.linalg.det(matrix).item() == pytest.approx(1, abs=1e-13)
    torch.testing.assert_close(rotation_matrix(-omega), matrix.T, atol=1e-14, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_matrix_times_points_is_their_rotation_and_turns_with_its_axis(seed):
    omega, points, turn = axis_angle(seed), normal(seed + 2, 10, 3), random_rotation(generator(seed))
    matrix = rotation_matrix(omega)
    torch.testing.assert_close(points @ matrix.T, rotate(omega.expand(10, 3), points), atol=1e-13, rtol=0)
    torch.testing.assert_close(rotation_matrix(turn @ omega), turn @ matrix @ turn.T, atol=1e-13, rtol=0)


def test_matrix_of_zero_is_the_identity_with_a_finite_gradient():
    omega = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(rotation_matrix(omega), torch.eye(3, dtype=torch.float64))
    assert torch.autograd.gradcheck(rotation_matrix, (omega,))


@given(seed=SEEDS, steps=st.integers(0, 8))
@RARELY
def test_constant_field_is_a_rigid_rotation(seed, steps):
    mesh, omega = icosphere(3), axis_angle(seed)
    moved = exponential(omega.expand(len(mesh.vertices), 3), mesh, steps)
    torch.testing.assert_close(moved, mesh.vertices @ rotation_matrix(omega).T, atol=1e-11, rtol=0)


@pytest.mark.parametrize("level", [0, 2, 4])
def test_zero_field_is_the_identity(level):
    mesh = icosphere(level)
    torch.testing.assert_close(exponential(torch.zeros_like(mesh.vertices), mesh), mesh.vertices, atol=1e-12, rtol=0)


def test_no_squaring_is_one_rotation():
    mesh = icosphere(2)
    omega = smooth_field(mesh.vertices, 0, 0.3)
    assert torch.equal(exponential(omega, mesh, steps=0), rotate(omega, mesh.vertices))


def test_squarings_are_the_default_six():
    mesh = icosphere(2)
    omega = smooth_field(mesh.vertices, 0, 0.3)
    assert torch.equal(exponential(omega, mesh), exponential(omega, mesh, steps=6))
    assert not torch.equal(exponential(omega, mesh), exponential(omega, mesh, steps=5))


@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.3, 1.0])
def test_flow_towards_a_pole_is_a_hyperbolic_tangent(strength):
    """With w = s x x e the velocity is s (e - x (x . e)), so artanh(x . e) grows by s and the azimuth stays.

    The first of 2^k steps holds the axes fixed, an error of the order of s^2 / 2^k; the rest is that of the mesh, h^2.
    """
    errors = {}
    for level, steps in ((3, 12), (4, 12), (4, 6), (4, 4)):
        mesh = icosphere(level)
        height = mesh.vertices[:, 2]
        moved = exponential(strength * torch.linalg.cross(mesh.vertices, Z.expand_as(mesh.vertices)), mesh, steps)
        expected = torch.tanh(torch.atanh(height) + strength)[:, None] * Z
        inside = torch.nn.functional.normalize(mesh.vertices * (1 - Z), dim=1)
        expected = expected + (1 - expected[:, 2:] ** 2).clamp(min=0).sqrt() * inside
        errors[level, steps] = arc_angle(moved, expected).mean().item()
    assert errors[4, 12] < 1e-3 * abs(strength)
    assert errors[3, 12] / errors[4, 12] > 3
    assert errors[4, 6] < 5e-3 * strength**2 + errors[4, 12]
    assert errors[4, 4] / errors[4, 6] > 1.5


def test_latitudes_that_turn_at_their_own_rate_stay_latitudes():
    """w = f(z) e turns every latitude by f(z); the error is that of linear interpolation, of order h^2."""
    errors = []
    for level in (3, 4):
        mesh = icosphere(level)
        angle = 0.8 * mesh.vertices[:, 2:] ** 2
        moved = exponential(angle * Z, mesh)
        errors.append(arc_angle(moved, rotate(angle * Z, mesh.vertices)).max().item())
    assert errors[1] < 4e-3
    assert errors[0] / errors[1] == pytest.approx(4, abs=1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("angle", "mean", "largest"), CONSISTENCY)
def test_flow_of_the_negative_field_is_the_inverse_within_the_bounds_of_the_mesh(angle, mean, largest, seed):
    mesh = icosphere(5)
    omega = smooth_field(mesh.vertices, seed, math.radians(angle))
    prepared = locator(mesh)
    there, back = exponential(omega, mesh, prepared=prepared), exponential(-omega, mesh, prepared=prepared)
    error = degrees_between(compose(back, there, mesh), mesh.vertices)
    assert error.mean() < 1.2 * mean
    assert error.max() < 1.5 * largest
    assert folded(mesh.vertices, there, mesh.faces) == 0
    assert degrees_between(there, mesh.vertices).max() > angle / 3


@given(seed=SEEDS)
@RARELY
def test_flow_turns_with_field_and_sphere(seed):
    mesh, turn = icosphere(2), random_rotation(generator(seed))
    omega = smooth_field(mesh.vertices, seed, 0.4, degree=4)
    turned = exponential(omega @ turn.T, Mesh(mesh.vertices @ turn.T, mesh.faces))
    torch.testing.assert_close(turned, exponential(omega, mesh) @ turn.T, atol=1e-9, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_flow_stays_on_the_sphere_and_does_not_care_for_preparation(seed):
    mesh = icosphere(3)
    omega = smooth_field(mesh.vertices, seed, 0.3, degree=6)
    moved = exponential(omega, mesh)
    assert moved.shape == mesh.vertices.shape
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(642, dtype=torch.float64), atol=1e-14, rtol=0)
    torch.testing.assert_close(exponential(omega, mesh, prepared=locator(mesh)), moved, atol=1e-12, rtol=0)


def test_flow_for_twice_the_time_is_the_flow_twice():
    mesh = icosphere(4)
    omega = smooth_field(mesh.vertices, 1, 0.1, degree=6)
    once = exponential(omega, mesh, steps=5)
    torch.testing.assert_close(exponential(2 * omega, mesh, steps=6), compose(once, once, mesh), atol=1e-10, rtol=0)


def test_flow_is_in_the_precision_of_the_field():
    mesh = icosphere(3)
    omega = smooth_field(mesh.vertices, 0, 0.3, degree=6)
    single = exponential(omega.float(), mesh)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exponential(omega, mesh), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("level", "steps"), [(0, 1), (0, 2), (0, 6), (1, 1), (1, 3)])
def test_gradient_of_the_flow_agrees_with_differences(level, steps):
    mesh = icosphere(level)
    omega = (0.2 * normal(5, len(mesh.vertices), 3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: exponential(w, mesh, steps), (omega,), eps=1e-7, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 6])
def test_gradient_at_the_identity_is_the_cross_product(steps):
    """Near zero, exp(w) x = x + w x x at each vertex on its own: d(g . exp)/dw = x x g."""
    mesh = icosphere(2)
    omega = torch.zeros_like(mesh.vertices).requires_grad_()
    test = normal(0, *mesh.vertices.shape)
    slope = torch.autograd.grad((exponential(omega, mesh, steps) * test).sum(), omega)[0]
    torch.testing.assert_close(slope, torch.linalg.cross(mesh.vertices, test), atol=1e-9, rtol=0)


def test_gradient_of_a_constant_field_is_that_of_the_rotation():
    mesh, test = icosphere(3), normal(1, 642, 3)
    omega = axis_angle(0, 1.0).requires_grad_()
    slope = torch.autograd.grad((exponential(omega.expand(642, 3), mesh) * test).sum(), omega)[0]
    expected = torch.autograd.grad((rotate(omega.expand(642, 3), mesh.vertices) * test).sum(), omega)[0]
    torch.testing.assert_close(slope, expected, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("shape", [(41, 3), (43, 3), (42, 2), (3,), (1, 42, 3)])
def test_field_needs_one_axis_a_vertex(shape):
    with pytest.raises(ValueError, match="42"):
        exponential(torch.zeros(shape, dtype=torch.float64), icosphere(1))


@pytest.mark.parametrize("steps", [0, 6])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_fields_that_are_not_finite_are_refused(value, steps):
    omega = torch.zeros(42, 3, dtype=torch.float64)
    omega[7, 1] = value
    with pytest.raises(ValueError, match="finite"):
        exponential(omega, icosphere(1), steps)


@given(seed=SEEDS)
@RARELY
def test_composed_rotations_are_their_product_the_second_applied_first(seed):
    mesh = icosphere(2)
    first, second = random_rotation(generator(seed)), random_rotation(generator(seed + 1))
    result = compose(mesh.vertices @ first.T, mesh.vertices @ second.T, mesh)
    torch.testing.assert_close(result, mesh.vertices @ (first @ second).T, atol=1e-12, rtol=0)


def test_composition_reads_the_first_map_where_the_second_leads():
    mesh = icosphere(3)
    first, second = wave(mesh.vertices, 0.1), wave(mesh.vertices.roll(1, 1), 0.1).roll(-1, 1)
    location = locate(second, mesh)
    expected = torch.nn.functional.normalize(interpolate(first.T, mesh, location).T, dim=1)
    torch.testing.assert_close(compose(first, second, mesh), expected, atol=1e-12, rtol=0)


def test_identity_is_neutral_on_both_sides():
    mesh = icosphere(3)
    moved = wave(mesh.vertices, 0.1)
    torch.testing.assert_close(compose(moved, mesh.vertices, mesh), moved, atol=1e-12, rtol=0)
    torch.testing.assert_close(compose(mesh.vertices, moved, mesh), moved, atol=1e-12, rtol=0)


def test_composition_is_differentiable_in_both_maps():
    mesh = icosphere(0)
    first = wave(mesh.vertices, 0.1).requires_grad_()
    second = unit(0, 12).requires_grad_()
    assert torch.autograd.gradcheck(lambda f, s: compose(f, s, mesh), (first, second))


@given(seed=SEEDS)
@RARELY
def test_inverse_of_a_rotation_is_its_transpose(seed):
    mesh, turn, points = icosphere(2), random_rotation(generator(seed)), unit(seed, 50)
    torch.testing.assert_close(invert(mesh.vertices @ turn.T, mesh), mesh.vertices @ turn, atol=1e-12, rtol=0)
    torch.testing.assert_close(invert(mesh.vertices @ turn.T, mesh, points), points @ turn, atol=1e-12, rtol=0)


def test_moved_vertices_come_from_the_vertices():
    mesh = icosphere(3)
    moved = wave(mesh.vertices, 0.1)
    assert folded(mesh.vertices, moved, mesh.faces) == 0
    torch.testing.assert_close(invert(moved, mesh, moved), mesh.vertices, atol=1e-12, rtol=0)
    torch.testing.assert_close(invert(mesh.vertices, mesh), mesh.vertices, atol=1e-12, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_inverse_undoes_the_map_between_vertices_too(seed):
    mesh, points = icosphere(3), unit(seed, 200)
    moved = wave(mesh.vertices, 0.1)
    image = torch.nn.functional.normalize(interpolate(moved.T, mesh, locate(points, mesh)).T, dim=1)
    torch.testing.assert_close(invert(moved, mesh, image), points, atol=1e-10, rtol=0)
    back = invert(moved, mesh, points)
    again = torch.nn.functional.normalize(interpolate(moved.T, mesh, locate(back, mesh)).T, dim=1)
    torch.testing.assert_close(again, points, atol=1e-10, rtol=0)


def test_inverse_of_a_flow_is_the_flow_backwards_within_the_bounds_of_the_mesh():
    mesh = icosphere(4)
    omega = smooth_field(mesh.vertices, 0, math.radians(6), degree=6)
    error = degrees_between(invert(exponential(omega, mesh), mesh), exponential(-omega, mesh))
    assert error.mean() < 0.02
    assert error.max() < 0.1


def test_inverse_of_the_inverse_is_the_map_within_the_bounds_of_the_mesh():
    mesh = icosphere(4)
    moved = wave(mesh.vertices, 0.1)
    error = degrees_between(invert(invert(moved, mesh), mesh), moved)
    assert np.degrees(1e-6) < error.max() < 0.2
