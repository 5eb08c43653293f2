"""Surfaces that pass through themselves."""

import torch

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.self_intersection import crossing_triangles


def moved(mesh, shift):
    return Mesh(mesh.vertices + mesh.vertices.new_tensor(shift), mesh.faces)


def test_a_sphere_and_two_apart_cut_nothing():
    ball = icosphere(3)
    assert not crossing_triangles(ball).any()
    assert not crossing_triangles(join_meshes([ball, moved(ball, (2.1, 0, 0))])).any()


def test_two_spheres_meet_in_the_circle_of_geometry():
    ball, shift = icosphere(4), (1.0, 0.02, 0.01)
    crossed = crossing_triangles(join_meshes([ball, moved(ball, shift)]))
    middles = ball.vertices[ball.faces].mean(1)[crossed[: len(ball.faces)]]
    assert len(middles) > 60
    # Points of the circle are as far from one center as from the other.
    gap = (middles - middles.new_tensor(shift)).norm(dim=1) - 1
    assert gap.abs().max() < 0.1


def test_a_vertex_pulled_through_the_other_side_is_found_and_a_dent_is_not():
    ball = icosphere(3)
    for depth, cut in ((-0.5, False), (-1.4, True)):
        vertices = ball.vertices.clone()
        vertices[0] *= depth
        assert bool(crossing_triangles(Mesh(vertices, ball.faces)).any()) is cut


def test_one_crossing_of_two_triangles_of_very_different_size():
    points = [[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [20, 20, -0.1], [20.1, 20, 0.1], [20, 20.1, 0.1]]
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert crossing_triangles(Mesh(torch.tensor(points), faces)).tolist() == [True, True]
    lifted = torch.tensor(points) + torch.tensor([0, 0, 0.0])
    lifted[3:, 2] += 0.2
    assert crossing_triangles(Mesh(lifted, faces)).tolist() == [False, False]


def pierces(start, way, triangle):
    """Whether a segment passes through a triangle, by the place on its plane."""
    a, b, c = triangle
    matrix = torch.stack([-way, b - a, c - a], 1)
    if torch.linalg.det(matrix).abs() < 1e-12:
        return False
    t, u, v = torch.linalg.solve(matrix, start - a).tolist()
    return 0 < t < 1 and u > 0 and v > 0 and u + v < 1


def test_agrees_with_a_search_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    count = 40
    points = 3 * torch.rand(count, 1, 3, generator=generator) + torch.rand(count, 3, 3, generator=generator)
    points = points.double()
    expected = [False] * count
    for i in range(count):
        for j in range(count):
            sides = [(points[i, k], points[i, (k + 1) % 3] - points[i, k]) for k in range(3)]
            if i != j and any(pierces(*side, points[j]) for side in sides):
                expected[i] = expected[j] = True
    faces = torch.arange(3 * count).reshape(count, 3)
    assert crossing_triangles(Mesh(points.flatten(0, 1), faces)).tolist() == expected
    assert 5 < sum(expected) < count - 5
