"""Angles and areas on the unit sphere, held to closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere import arc_angle, corner_volumes, solid_angle, sphere_center, vertex_areas

X, Y, Z = torch.eye(3, dtype=torch.float64)
OCTANT = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
TETRAHEDRON = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64) / math.sqrt(3)
TETRAHEDRON_FACES = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
SEEDS = st.integers(0, 2**31)
LEVELS = pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
RARELY = settings(deadline=None, max_examples=25)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def unit(seed, *shape):
    return torch.nn.functional.normalize(torch.randn(*shape, 3, generator=generator(seed), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("angle", [1e-100, 1e-30, 1e-12, 1e-8, 1e-4, 1.0, math.pi / 2, 3.0])
def test_angle_from_the_pole_is_known_to_the_last_digits(angle):
    first = math.sin(angle) * X + math.cos(angle) * Z
    assert arc_angle(first, Z).item() == pytest.approx(angle, rel=1e-14, abs=0)


@pytest.mark.parametrize("rest", [0.0, 1e-15, 1e-12, 1e-8, 1e-4])
def test_angles_near_pi_keep_their_distance_from_it(rest):
    first = math.sin(rest) * X - math.cos(rest) * Z
    assert arc_angle(first, Z).item() == pytest.approx(math.pi - rest, rel=0, abs=5e-16)


@given(angle=st.floats(0, math.pi), seed=SEEDS)
@RARELY
def test_angle_is_the_one_turned_in_any_plane_at_any_length(angle, seed):
    first, _, third = random_rotation(generator(seed))
    second = math.cos(angle) * first + math.sin(angle) * third
    assert arc_angle(7 * first, 0.2 * second).item() == pytest.approx(angle, abs=1e-14)


@given(seed=SEEDS)
@RARELY
def test_angle_is_symmetric_and_supplements_at_the_antipode(seed):
    first, second = unit(seed, 2)
    assert arc_angle(first, second).item() == pytest.approx(arc_angle(second, first).item(), abs=1e-15)
    assert (arc_angle(first, second) + arc_angle(first, -second)).item() == pytest.approx(math.pi, abs=1e-14)


def test_angles_broadcast():
    first, second = unit(0, 5, 1), unit(1, 1, 4)
    angles = arc_angle(first, second)
    assert angles.shape == (5, 4)
    torch.testing.assert_close(angles, torch.acos((first * second).sum(-1)), atol=1e-12, rtol=0)


def test_angle_has_a_gradient_of_one_along_its_arc_and_a_finite_one_at_its_ends():
    first = unit(2, 6).requires_grad_()
    second = unit(3, 6)
    arc_angle(first, second).sum().backward()
    torch.testing.assert_close(first.grad.norm(dim=1), torch.ones(6, dtype=torch.float64), atol=1e-12, rtol=0)
    same = torch.stack([X, Z, X]).requires_grad_()
    arc_angle(same, torch.stack([X, -Z, 2 * X])).sum().backward()
    assert same.grad.isfinite().all()


def test_volume_of_the_axes_is_one_and_exchanging_two_negates_it():
    assert corner_volumes(torch.stack([X, Y, Z])).item() == 1
    assert corner_volumes(torch.stack([Y, X, Z])).item() == -1
    assert corner_volumes(torch.stack([X, Y, X + Y])).item() == 0


@given(seed=SEEDS, scale=st.floats(-3, 3))
@RARELY
def test_volume_is_the_determinant_linear_in_each_corner(seed, scale):
    corners = torch.randn(2, 4, 3, 3, generator=generator(seed), dtype=torch.float64)
    volumes = corner_volumes(corners)
    assert volumes.shape == (2, 4)
    torch.testing.assert_close(volumes, torch.linalg.det(corners), atol=1e-12, rtol=1e-12)
    scaled = corners * torch.tensor([1, scale, 1], dtype=torch.float64)[:, None]
    torch.testing.assert_close(corner_volumes(scaled), scale * volumes, atol=1e-12, rtol=1e-12)


@given(seed=SEEDS)
@RARELY
def test_volume_survives_rotation_and_cyclic_exchange(seed):
    corners = unit(seed, 5, 3)
    expected = corner_volumes(corners)
    torch.testing.assert_close(corner_volumes(corners @ random_rotation(generator(seed))), expected)
    torch.testing.assert_close(corner_volumes(corners.roll(1, 1)), expected)


@LEVELS
def test_triangles_of_an_icosphere_face_outward(level):
    mesh = icosphere(level)
    assert (corner_volumes(mesh.vertices[mesh.faces]) > 0).all()


def test_octant_covers_one_eighth_of_the_sphere():
    assert solid_angle(X, Y, Z).item() == pytest.approx(math.pi / 2, abs=1e-15)


@pytest.mark.parametrize("height", [1e-9, 1e-3, 0.3, 0.99])
def test_area_of_a_regular_triangle_about_the_pole(height):
    """Girard: three angles A less pi, of which tan(A / 2) = 1 / (sqrt(3) height)."""
    azimuth = torch.arange(3, dtype=torch.float64) * 2 * math.pi / 3
    radius = math.sqrt(1 - height**2)
    corners = torch.stack([radius * azimuth.cos(), radius * azimuth.sin(), torch.full_like(azimuth, height)], 1)
    expected = 6 * math.atan(1 / (math.sqrt(3) * height)) - math.pi
    assert solid_angle(*corners).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("height", [1e-3, 1e-6, 1e-8])
def test_area_of_a_tiny_triangle_is_the_flat_one(height):
    corners = torch.nn.functional.normalize(torch.stack([Z, Z + height * X, Z + height * Y]), dim=-1)
    assert solid_angle(*corners).item() == pytest.approx(height**2 / 2, rel=2 * height**2 + 1e-7, abs=0)


@given(azimuth=st.floats(1e-3, 3.1))
@RARELY
def test_area_of_a_half_lune_is_its_angle(azimuth):
    corner = math.cos(azimuth) * X + math.sin(azimuth) * Y
    assert solid_angle(X, corner, Z).item() == pytest.approx(azimuth, abs=1e-13)


@given(seed=SEEDS)
@RARELY
def test_area_adds_up_over_the_parts_of_a_triangle(seed):
    a, b, c = unit(seed, 3)
    if corner_volumes(torch.stack([a, b, c])) < 0:
        b, c = c, b
    inside = torch.nn.functional.normalize(a + 2 * b + 3 * c, dim=0)
    parts = solid_angle(a, b, inside) + solid_angle(b, c, inside) + solid_angle(c, a, inside)
    assert parts.item() == pytest.approx(solid_angle(a, b, c).item(), abs=1e-12)


@given(seed=SEEDS)
@RARELY
def test_area_keeps_its_size_under_rotation_and_changes_sign_in_a_mirror(seed):
    corners = unit(seed, 3, 10)
    expected = solid_angle(*corners)
    assert expected.shape == (10,)
    torch.testing.assert_close(solid_angle(*(corners @ random_rotation(generator(seed)))), expected)
    torch.testing.assert_close(solid_angle(*corners.flip(0)), -expected)
    torch.testing.assert_close(solid_angle(*(corners * (1 - 2 * X))), -expected)


@LEVELS
def test_vertex_areas_add_up_to_the_sphere(level):
    areas = vertex_areas(icosphere(level))
    assert areas.shape == (10 * 4**level + 2,)
    assert (areas > 0).all()
    assert areas.sum().item() == pytest.approx(4 * math.pi, abs=1e-12)


def test_vertex_areas_are_equal_on_regular_solids_and_thirds_of_an_octant():
    torch.testing.assert_close(vertex_areas(icosphere(0)), torch.full((12,), math.pi / 3, dtype=torch.float64))
    tetrahedron = Mesh(TETRAHEDRON, TETRAHEDRON_FACES)
    torch.testing.assert_close(vertex_areas(tetrahedron), torch.full((4,), math.pi, dtype=torch.float64))
    torch.testing.assert_close(vertex_areas(OCTANT), torch.full((3,), math.pi / 6, dtype=torch.float64))


@pytest.mark.parametrize("seed", range(3))
def test_vertex_areas_of_an_irregular_sphere_are_thirds_of_the_triangles_about_them(seed):
    vertices, faces = icosphere(2)
    vertices = torch.nn.functional.normalize(vertices + 0.08 * unit(seed, len(vertices)), dim=1)
    areas = vertex_areas(Mesh(vertices, faces))
    expected = torch.zeros(len(vertices), dtype=torch.float64)
    for face in faces:
        expected[face] += solid_angle(*vertices[face]) / 3
    torch.testing.assert_close(areas, expected, atol=1e-14, rtol=1e-12)
    assert areas.sum().item() == pytest.approx(4 * math.pi, abs=1e-11)


@given(seed=SEEDS)
@RARELY
def test_vertex_areas_follow_rotation_and_renumbering(seed):
    vertices, faces = icosphere(1)
    vertices = torch.nn.functional.normalize(vertices + 0.1 * unit(seed, 42), dim=1)
    expected = vertex_areas(Mesh(vertices, faces))
    turned = vertex_areas(Mesh(vertices @ random_rotation(generator(seed)), faces.flip(0).roll(1, 1)))
    torch.testing.assert_close(turned, expected, atol=1e-13, rtol=0)
    order = torch.randperm(42, generator=generator(seed))
    renumbered = vertex_areas(Mesh(vertices[order], order.argsort()[faces]))
    torch.testing.assert_close(renumbered, expected[order], atol=1e-13, rtol=0)


@LEVELS
def test_vertex_areas_integrate_products_of_coordinates_exactly(level):
    """The icosahedral group leaves only multiples of the identity, and the trace is 4 pi."""
    vertices = icosphere(level).vertices
    moments = vertices.T @ (vertex_areas(icosphere(level))[:, None] * vertices)
    torch.testing.assert_close(moments, 4 * math.pi / 3 * torch.eye(3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_center_of_a_sphere_wherever_it_is():
    center = torch.tensor([7.0, -3, 0.5], dtype=torch.float64)
    points = torch.nn.functional.normalize(
        torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=1
    )
    # A cap alone tells the center too.
    for part in (points, points[points[:, 2] > 0.3]):
        torch.testing.assert_close(sphere_center(100 * part + center), center)
