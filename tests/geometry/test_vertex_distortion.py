"""Distortion at vertices, of maps whose stretch is known."""

import math

import pytest
import torch

from monai_cortex.geometry.distortion import areal_distortion, triangle_areas
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.vertex_distortion import areal_at_vertices, edge_at_vertices

# A square of two triangles, (0, 1, 2) and (0, 2, 3), and a vertex of no triangle.
SQUARE = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 5, 5]], dtype=torch.float64)
FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def warped(seed):
    mesh = icosphere(2)
    noise = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return mesh, torch.nn.functional.normalize(mesh.vertices + 0.05 * noise, dim=1)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_scaling_is_the_same_at_every_vertex(factor):
    mesh = icosphere(1)
    areal = areal_at_vertices(mesh.vertices, factor * mesh.vertices, mesh.faces)
    edge = edge_at_vertices(mesh.vertices, factor * mesh.vertices, mesh.faces)
    torch.testing.assert_close(areal, torch.full((42,), 2 * abs(math.log2(factor))).double())
    torch.testing.assert_close(edge, torch.full((42,), abs(factor - 1)).double())


def test_only_the_triangles_and_edges_about_a_vertex_count():
    """Corner 1 moves along its side: triangle (0, 1, 2) doubles, sides 0-1 and 1-2 become 2 and sqrt(2)."""
    moved = SQUARE.clone()
    moved[1, 0] = 2
    areal, edge = areal_at_vertices(SQUARE, moved, FACES), edge_at_vertices(SQUARE, moved, FACES)
    other = math.sqrt(2) - 1
    assert areal.tolist() == pytest.approx([0.5, 1, 0.5, 0, 0])
    assert edge.tolist() == pytest.approx([1 / 3, (1 + other) / 2, other / 3, 0, 0])


def test_large_triangles_count_more():
    before, moved = SQUARE.clone(), SQUARE.clone()
    before[3, 1] = moved[3, 1] = 4  # triangle (0, 2, 3) has 4 times the area of (0, 1, 2)
    moved[1, 0] = 2
    ratio = areal_distortion(before, moved, FACES)
    areas = triangle_areas(before, FACES)
    assert areas.tolist() == [0.5, 2]
    assert areal_at_vertices(before, moved, FACES)[0].item() == pytest.approx((ratio[0].item() + 4 * ratio[1]) / 5)


def test_rotations_distort_nothing_and_do_not_change_distortion():
    mesh, moved = warped(0)
    turn = random_rotation(torch.Generator().manual_seed(1))
    for measure in (areal_at_vertices, edge_at_vertices):
        assert measure(mesh.vertices, mesh.vertices @ turn, mesh.faces).max() < 1e-12
        expected = measure(mesh.vertices, moved, mesh.faces)
        assert expected.min() > 0
        torch.testing.assert_close(measure(mesh.vertices, moved @ turn, mesh.faces), expected)


def test_area_weighted_mean_over_vertices_is_that_over_triangles():
    mesh, moved = warped(2)
    areas = triangle_areas(*mesh)
    shares = areas.new_zeros(162).index_add_(0, mesh.faces.flatten(), areas.repeat_interleave(3))
    total = (areal_at_vertices(mesh.vertices, moved, mesh.faces) * shares).sum() / 3
    torch.testing.assert_close(total, (areal_distortion(mesh.vertices, moved, mesh.faces) * areas).sum())
