"""Location of points on spheres, regular, irregular and folded, and interpolation on their triangles."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.barycentric import Location, interpolate, locate, locator, nearest_corner
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation

SEEDS = st.integers(0, 2**31)
LEVELS = pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
NEARLY_FLAT = 1e-9  # rounding times the condition number of triangles almost seen edge-on
LENGTHS = pytest.mark.parametrize("length", [1e-30, 1e-6, 100.0, 1e30])
RARELY = settings(deadline=None, max_examples=25)
OCTAHEDRON = Mesh(
    torch.tensor([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=torch.float64),
    torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [1, 0, 5], [2, 1, 5], [3, 2, 5], [0, 3, 5]]),
)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, *shape):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def jittered(seed, amount, level=3):
    vertices, faces = icosphere(level)
    return Mesh(torch.nn.functional.normalize(vertices + amount * normal(seed, len(vertices), 3), dim=1), faces)


def flipped(mesh):
    return int((torch.linalg.det(mesh.vertices[mesh.faces]) <= 0).sum())


def corners(mesh, location):
    return mesh.vertices[mesh.faces[location.face]]


def assert_on_ray(points, mesh, location, atol=1e-12):
    """Weights sum to 1, are not negative, and their point on the flat triangle lies on the ray."""
    assert location.face.dtype == torch.int64
    assert location.face.shape == points.shape[:1]
    assert location.weights.shape == points.shape
    assert location.weights.min() >= -1e-9
    torch.testing.assert_close(location.weights.sum(1), torch.ones(len(points), dtype=points.dtype), atol=atol, rtol=0)
    met = (location.weights[..., None] * corners(mesh, location)).sum(1)
    unit = torch.nn.functional.normalize(points, dim=1)
    torch.testing.assert_close(torch.nn.functional.normalize(met, dim=1), unit, atol=atol, rtol=0)


def brute_force(points, mesh):
    """Faces (Q, F) whose triangle the ray meets, up to rounding."""
    weights = torch.linalg.solve(mesh.vertices[mesh.faces].mT[None], points[:, None, :, None])[..., 0]
    return (weights / weights.abs().sum(-1, keepdim=True)).amin(-1) >= -1e-9


@LEVELS
def test_vertices_are_found_at_a_corner_of_their_own(level):
    mesh = icosphere(level)
    location = locate(mesh.vertices, mesh)
    assert torch.equal(nearest_corner(mesh, location), torch.arange(len(mesh.vertices)))
    expected = torch.ones(len(mesh.vertices), dtype=torch.float64)
    torch.testing.assert_close(location.weights.amax(1), expected, atol=1e-12, rtol=0)


@LEVELS
def test_centroids_and_midpoints_have_weights_of_thirds_and_halves(level):
    mesh = icosphere(level)
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    center, middle = locate(a + b + c, mesh), locate(torch.cat([a + b, b + c, c + a]), mesh)
    assert torch.equal(center.face, torch.arange(len(mesh.faces)))
    torch.testing.assert_close(center.weights, torch.full_like(a, 1 / 3), atol=1e-12, rtol=0)
    expected = torch.tensor([0, 0.5, 0.5], dtype=torch.float64).expand(3 * len(a), 3)
    torch.testing.assert_close(middle.weights.sort(1).values, expected, atol=1e-12, rtol=0)
    assert_on_ray(torch.cat([a + b, b + c, c + a]), mesh, middle)


def test_weights_in_an_octant_are_shares_of_the_coordinates():
    points = normal(0, 50, 3).abs()
    location = locate(points, OCTAHEDRON)
    assert (location.face == 0).all()
    expected = points / points.sum(1, keepdim=True)
    torch.testing.assert_close(location.weights, expected, atol=1e-14, rtol=0)


@given(seed=SEEDS, level=st.integers(0, 3))
@RARELY
def test_location_undoes_interpolation_on_every_face(seed, level):
    mesh = jittered(seed, 0.02, level)
    weights = normal(seed, len(mesh.faces), 3).abs() + 1e-3
    weights = weights / weights.sum(1, keepdim=True)
    points = (weights[..., None] * mesh.vertices[mesh.faces]).sum(1)
    location = locate(points, mesh)
    assert torch.equal(location.face, torch.arange(len(mesh.faces)))
    torch.testing.assert_close(location.weights, weights, atol=1e-12, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_values_linear_on_each_face_are_reproduced(seed):
    mesh = jittered(seed, 0.02)
    location = locate(normal(seed + 1, 300, 3), mesh)
    values = normal(seed + 2, 2, 4, len(mesh.vertices))
    at_corners = values[..., mesh.faces[location.face]]
    result = interpolate(values, mesh, location)
    assert result.shape == (2, 4, 300)
    torch.testing.assert_close(result, (at_corners * location.weights).sum(-1), atol=1e-12, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_linear_functions_of_space_are_read_where_the_ray_meets_the_triangle(seed):
    mesh, points, slope = jittered(seed, 0.02), normal(seed + 1, 200, 3), normal(seed + 2, 3)
    location = locate(points, mesh)
    normals = torch.linalg.cross(*(corners(mesh, location)[:, 1:] - corners(mesh, location)[:, :1]).unbind(1), dim=1)
    stretch = (corners(mesh, location)[:, 0] * normals).sum(1) / (points * normals).sum(1)
    torch.testing.assert_close(
        interpolate(mesh.vertices @ slope + 0.7, mesh, location), stretch * (points @ slope) + 0.7, atol=1e-11, rtol=0
    )


@given(seed=SEEDS)
@RARELY
def test_faces_are_those_of_a_search_through_all(seed):
    mesh, points = jittered(seed, 0.04, 2), normal(seed + 1, 200, 3)
    location = locate(points, mesh)
    assert brute_force(points, mesh)[torch.arange(200), location.face].all()
    assert_on_ray(points, mesh, location)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("amount", [0.04, 0.06, 0.08])
def test_every_point_is_found_on_a_folded_sphere(seed, amount):
    mesh = jittered(seed, amount)
    assert flipped(mesh) > 0
    points = torch.cat([normal(seed + 100, 2000, 3), mesh.vertices, mesh.vertices[mesh.faces].mean(1)])
    assert_on_ray(points, mesh, locate(points, mesh), atol=NEARLY_FLAT)


@pytest.mark.parametrize("seed", range(3))
def test_points_on_edges_and_vertices_of_an_irregular_sphere_are_found(seed):
    mesh = jittered(seed, 0.03)
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    points = torch.cat([mesh.vertices, a + b, 0.9 * b + 0.1 * c, c + 1e-9 * a, a + 1e-15 * b])
    assert_on_ray(points, mesh, locate(points, mesh))


@LENGTHS
def test_length_of_points_and_radius_of_the_mesh_do_not_matter(length):
    mesh, points = jittered(0, 0.02), normal(1, 300, 3)
    face, weights = locate(points, mesh)
    for location in (locate(length * points, mesh), locate(points, Mesh(length * mesh.vertices, mesh.faces))):
        assert torch.equal(location.face, face)
        torch.testing.assert_close(location.weights, weights, atol=1e-12, rtol=0)


@pytest.mark.parametrize("stretch", [[1.0, 1.0, 0.1], [5.0, 1.0, 1.0], [1.0, 20.0, 0.3]])
def test_ellipsoids_and_shifted_spheres_are_closed_around_the_origin_too(stretch):
    vertices, faces = icosphere(3)
    points = normal(2, 500, 3)
    for placed in (vertices * torch.tensor(stretch, dtype=torch.float64), vertices + torch.tensor([0.5, 0.5, -0.4])):
        mesh = Mesh(placed, faces)
        assert_on_ray(points, mesh, locate(points, mesh))


@given(seed=SEEDS)
@RARELY
def test_location_turns_with_mesh_and_points(seed):
    mesh, points, rotation = jittered(seed, 0.02), normal(seed + 1, 200, 3), random_rotation(generator(seed))
    face, weights = locate(points, mesh)
    turned = locate(points @ rotation.T, Mesh(mesh.vertices @ rotation.T, mesh.faces))
    assert torch.equal(turned.face, face)
    torch.testing.assert_close(turned.weights, weights, atol=1e-11, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_location_follows_a_renumbering_of_faces_and_corners(seed):
    mesh, points = jittered(seed, 0.02), normal(seed + 1, 200, 3)
    face, weights = locate(points, mesh)
    order = torch.randperm(len(mesh.faces), generator=generator(seed))
    renumbered = locate(points, Mesh(mesh.vertices, mesh.faces[order].roll(1, 1)))
    assert torch.equal(order[renumbered.face], face)
    torch.testing.assert_close(renumbered.weights, weights.roll(1, 1), atol=1e-12, rtol=0)


@given(seed=SEEDS)
@RARELY
def test_preparation_and_any_start_give_the_same_location(seed):
    mesh, points = jittered(seed, 0.02), normal(seed + 1, 200, 3)
    face, weights = locate(points, mesh)
    start = torch.randint(len(mesh.faces), (200,), generator=generator(seed))
    prepared = locator(mesh)
    for location in (
        locate(points, mesh, prepared),
        locate(points, mesh, start=start),
        locate(points, mesh, prepared=prepared, start=face),
    ):
        assert torch.equal(location.face, face)
        torch.testing.assert_close(location.weights, weights, atol=1e-14, rtol=0)


def test_starts_that_are_too_few_or_no_triangles_are_refused_or_ignored():
    """Run in a process of its own, which reading past the end of an array may kill."""
    code = """
import contextlib, torch
from monai_cortex.geometry.barycentric import locate
from monai_cortex.geometry.icosphere import icosphere
mesh, points = icosphere(3), torch.randn(100000, 3, dtype=torch.float64)
for start in (torch.zeros(1, dtype=torch.int64), torch.full((100000,), 10**9)):
    with contextlib.suppress(ValueError, IndexError):
        locate(points, mesh, start=start)
"""
    finished = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert finished.returncode == 0, f"ended with {finished.returncode}"


def test_points_without_three_coordinates_are_refused():
    with pytest.raises(ValueError, match="3"):
        locate(normal(0, 5, 2), icosphere(1))


def test_single_precision_is_located_in_double():
    mesh, points = icosphere(3), normal(0, 300, 3).float()
    face, weights = locate(points, mesh)
    expected = locate(points.double(), mesh)
    assert weights.dtype == torch.float32
    assert torch.equal(face, expected.face)
    torch.testing.assert_close(weights, expected.weights.float(), atol=1e-7, rtol=0)


def test_no_points_have_no_location():
    face, weights = locate(normal(0, 0, 3), icosphere(1))
    assert face.shape == (0,)
    assert weights.shape == (0, 3)


def test_weights_are_differentiable_in_points_and_vertices():
    vertices, faces = icosphere(1)
    a, b, c = vertices[faces[:6]].unbind(1)
    points = (0.5 * a + 0.3 * b + 0.2 * c).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: locate(p, Mesh(vertices, faces)).weights, (points,))
    vertices = vertices.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: locate(points.detach(), Mesh(v, faces)).weights, (vertices,))


def test_weights_do_not_change_along_the_ray():
    """Weights are homogeneous of degree 0 in the point, so the gradient is normal to it (Euler)."""
    points = normal(3, 50, 3).requires_grad_()
    weights = locate(points, jittered(0, 0.02)).weights
    slope = torch.autograd.grad((weights * normal(4, 50, 3)).sum(), points)[0]
    assert slope.abs().max() > 0.1
    torch.testing.assert_close((slope * points).sum(1), torch.zeros(50, dtype=torch.float64), atol=1e-9, rtol=0)


def test_weights_have_a_finite_gradient_on_vertices_and_edges():
    mesh = icosphere(2)
    a, b, _ = mesh.vertices[mesh.faces].unbind(1)
    points = torch.cat([mesh.vertices, a + b]).requires_grad_()
    locate(points, mesh).weights.square().sum().backward()
    assert points.grad.isfinite().all()


def test_interpolation_is_differentiable_in_values_and_weights():
    mesh = icosphere(0)
    face, weights = locate(normal(0, 5, 3), mesh)
    values = normal(1, 2, 12).requires_grad_()
    weights = weights.detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda v, w: interpolate(v, mesh, Location(face, w)), (values, weights))


@given(seed=SEEDS)
@RARELY
def test_interpolation_keeps_constants_bounds_and_the_adjoint(seed):
    mesh, points = jittered(seed, 0.02), normal(seed + 1, 200, 3)
    location = locate(points, mesh)
    ones = torch.ones(len(mesh.vertices), dtype=torch.float64)
    torch.testing.assert_close(interpolate(ones, mesh, location), ones[:200], atol=1e-12, rtol=0)
    values = normal(seed + 2, len(mesh.vertices)).requires_grad_()
    result = interpolate(values, mesh, location)
    assert result.max() <= values.max() + 1e-9
    assert result.min() >= values.min() - 1e-9
    test = normal(seed + 3, 200)
    spread = torch.autograd.grad((result * test).sum(), values)[0]
    assert (spread @ values).item() == pytest.approx((result @ test).item(), rel=1e-9, abs=1e-9)


def test_interpolation_error_of_a_smooth_function_falls_fourfold_with_each_level():
    points = torch.nn.functional.normalize(normal(0, 2000, 3), dim=1)
    errors = []
    for level in (2, 3, 4):
        mesh = icosphere(level)
        values = (mesh.vertices**3).prod(1) + mesh.vertices[:, 0] ** 2
        expected = (points**3).prod(1) + points[:, 0] ** 2
        errors.append((interpolate(values, mesh, locate(points, mesh)) - expected).abs().mean().item())
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.6)
    assert errors[1] / errors[2] == pytest.approx(4, abs=0.3)


@given(seed=SEEDS)
@RARELY
def test_nearest_corner_carries_the_largest_weight_and_invents_no_label(seed):
    mesh, points = jittered(seed, 0.02, 2), normal(seed + 1, 200, 3)
    location = locate(points, mesh)
    corner = nearest_corner(mesh, location)
    assert corner.dtype == torch.int64
    held = (mesh.faces[location.face] == corner[:, None]) * location.weights
    assert torch.equal(held.amax(1), location.weights.amax(1))
    labels = 100 * torch.arange(len(mesh.vertices))
    assert set(labels[corner].tolist()) <= set(labels.tolist())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0])
def test_points_without_a_direction_are_refused(value):
    points = normal(0, 5, 3)
    points[3] = value
    with pytest.raises(ValueError, match="number 3"):
        locate(points, icosphere(2))


def test_one_coordinate_that_is_not_finite_suffices_to_refuse():
    points = normal(0, 5, 3)
    points[1, 2] = math.nan
    with pytest.raises(ValueError, match="1 of 5"):
        locate(points, icosphere(2))


@pytest.mark.parametrize("seed", range(3))
def test_open_mesh_serves_the_rays_that_meet_it_and_refuses_the_others(seed):
    vertices, faces = icosphere(3)
    kept = faces[vertices[faces].mean(1)[:, 2] > 0]
    points = normal(seed, 400, 3)
    cap = Mesh(vertices, kept)
    meets = brute_force(points, cap).any(1)
    assert_on_ray(points[meets], cap, locate(points[meets], cap))
    with pytest.raises(ValueError, match=f"{int((~meets).sum())} of 400"):
        locate(points, cap)


def test_mesh_with_a_hole_is_searched_around_the_hole():
    vertices, faces = icosphere(3)
    centers = vertices[faces].mean(1)
    ring = Mesh(vertices, faces[centers[:, 2].abs() < 0.5])
    points = ring.vertices[ring.faces].mean(1)
    start = torch.full((len(points),), 0)
    assert torch.equal(locate(points, ring, start=start).face, torch.arange(len(points)))


def test_inward_faces_are_located_like_outward_ones():
    mesh, points = jittered(0, 0.02), normal(1, 300, 3)
    inward = Mesh(mesh.vertices, mesh.faces.flip(1))
    assert torch.equal(locate(points, inward).face, locate(points, mesh).face)
    assert_on_ray(points, inward, locate(points, inward))
