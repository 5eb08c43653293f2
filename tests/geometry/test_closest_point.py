"""The nearest point of a surface, against spheres, all triangles and what moves with them."""

import pytest
import torch

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.closest_point import closest_points
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh

SPHERE = icosphere(3)
POINTS = torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def all_distances(points, mesh):
    """To every triangle, as the least over a fine grid of its points: an upper bound within half the grid's width."""
    u, v = torch.meshgrid(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41), indexing="ij")
    weights = torch.stack([1 - u - v, u, v], -1)[u + v <= 1 + 1e-6].double()
    inside = (weights @ mesh.vertices[mesh.faces]).reshape(-1, 3)
    return torch.cdist(points, inside).amin(1)


def test_sphere_within_its_facets():
    found = closest_points(3 * SPHERE.vertices, SPHERE)
    torch.testing.assert_close(found.distances, torch.full((642,), 2.0).double())
    torch.testing.assert_close(found.points, SPHERE.vertices)
    far = POINTS / POINTS.norm(dim=1, keepdim=True) * 5
    sag = 1 - SPHERE.vertices[SPHERE.faces].mean(1).norm(dim=1).min()
    assert (closest_points(far, SPHERE).distances >= 4).all()
    assert (closest_points(far, SPHERE).distances <= 4 + sag).all()


def test_no_triangle_is_nearer():
    rough = Mesh(SPHERE.vertices * (1 + 0.3 * torch.sin(9 * SPHERE.vertices[:, :1])), SPHERE.faces)
    found, bound = closest_points(POINTS, rough).distances, all_distances(POINTS, rough)
    assert (found <= bound + 1e-12).all()
    assert (found >= bound - 5e-3).all()


def test_found_points_lie_on_their_triangles_at_their_distances():
    found = closest_points(POINTS, SPHERE)
    torch.testing.assert_close((found.points - POINTS).norm(dim=1), found.distances)
    a, b, c = SPHERE.vertices[SPHERE.faces[found.faces]].unbind(1)
    areas = [torch.linalg.cross(x, y).norm(dim=1) for x, y in zip(*_sides(found.points, a, b, c), strict=True)]
    torch.testing.assert_close(sum(areas), torch.linalg.cross(b - a, c - a).norm(dim=1))


def _sides(points, a, b, c):
    rays = a - points, b - points, c - points
    return rays, (rays[1], rays[2], rays[0])


def test_points_of_the_surface_are_their_own_nearest():
    centers = SPHERE.vertices[SPHERE.faces].mean(1)
    found = closest_points(centers, SPHERE)
    assert found.distances.max() < 1e-12
    assert found.faces.tolist() == list(range(len(SPHERE.faces)))


def test_rigid_motion_and_scale(rotation_matrix):
    turn = rotation_matrix(1)
    found = closest_points(POINTS, SPHERE)
    moved = closest_points(3 * POINTS @ turn.T - 50, Mesh(3 * SPHERE.vertices @ turn.T - 50, SPHERE.faces))
    torch.testing.assert_close(moved.distances, 3 * found.distances)
    torch.testing.assert_close(moved.points, 3 * found.points @ turn.T - 50)


def test_one_triangle_and_no_points():
    mesh = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
    assert closest_points(torch.ones(1, 3), mesh).distances.item() == pytest.approx(2 / 3**0.5)
    assert closest_points(torch.zeros(0, 3), mesh).points.shape == (0, 3)


@pytest.mark.parametrize(
    ("points", "vertices", "faces", "message"),
    [
        (torch.zeros(3), torch.eye(3), [[0, 1, 2]], "points"),
        (torch.full((1, 3), torch.nan), torch.eye(3), [[0, 1, 2]], "points"),
        (torch.zeros(1, 3), torch.eye(3) * torch.inf, [[0, 1, 2]], "vertices"),
        (torch.zeros(1, 3), torch.eye(3), [[0, 1, 3]], "triangles"),
        (torch.zeros(1, 3), torch.eye(3), [[0, 1, -1]], "triangles"),
        (torch.zeros(1, 3), torch.eye(3), torch.zeros(0, 3), "triangles"),
    ],
)
def test_what_is_no_surface_is_refused(points, vertices, faces, message):
    with pytest.raises(GeometryError, match=message):
        closest_points(points, Mesh(vertices, torch.as_tensor(faces)))
