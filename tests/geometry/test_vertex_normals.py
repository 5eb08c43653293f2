"""Normals of spheres and boxes, which are known."""

import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.vertex_normals import vertex_normals

SPHERE = icosphere(4)
# A pyramid of height 1 over a square of sides 2, open below, and a fifth side cut in two.
TOP = torch.tensor([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0], [0, 0, 1]], dtype=torch.float64)
SIDES = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])


def test_normals_of_a_sphere_are_its_radii():
    normals = vertex_normals(SPHERE)
    torch.testing.assert_close(normals, SPHERE.vertices, atol=1e-2, rtol=0)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(len(normals)).double())


def test_corners_of_a_pyramid():
    normals = vertex_normals(Mesh(TOP, SIDES))
    torch.testing.assert_close(normals[4], torch.tensor([0, 0, 1.0]).double())
    # Of two sides at 45 degree, (0, 1, 1) and (1, 0, 1).
    torch.testing.assert_close(normals[0], torch.tensor([1.0, 1, 2]).double() / 6**0.5)


def test_large_triangles_weigh_more():
    """A side of one triangle against one of the same plane in two: areas make both the same."""
    vertices = torch.cat([TOP, (TOP[0] + TOP[1])[None] / 2])
    cut = torch.cat([SIDES[1:], torch.tensor([[0, 5, 4], [5, 1, 4]])])
    torch.testing.assert_close(vertex_normals(Mesh(vertices, cut))[4], vertex_normals(Mesh(TOP, SIDES))[4])


def test_rotation_scale_and_shift(rotation_matrix):
    turn = rotation_matrix(3)
    moved = Mesh(7 * SPHERE.vertices @ turn.T + 100, SPHERE.faces)
    torch.testing.assert_close(vertex_normals(moved), vertex_normals(SPHERE) @ turn.T)
    torch.testing.assert_close(vertex_normals(Mesh(TOP, SIDES.flip(1))), -vertex_normals(Mesh(TOP, SIDES)))


def test_vertex_without_area_has_none():
    lonely = Mesh(torch.cat([TOP, TOP[:1]]).float(), SIDES)
    assert vertex_normals(lonely)[5].tolist() == [0, 0, 0]
    assert vertex_normals(lonely).dtype == torch.float32
