import math

import pytest
import torch

from monai_cortex.geometry.icosphere import icosphere, icosphere_level

LEVELS = pytest.mark.parametrize("level", [0, 1, 2, 3])


def corners(mesh):
    return mesh.vertices[mesh.faces].unbind(1)


def as_set(points):
    return {tuple(round(c, 9) + 0.0 for c in p) for p in points.tolist()}


@LEVELS
def test_counts_and_types(level):
    vertices, faces = icosphere(level)
    assert vertices.shape == (10 * 4**level + 2, 3)
    assert faces.shape == (20 * 4**level, 3)
    assert vertices.dtype == torch.float64
    assert faces.dtype == torch.int64
    torch.testing.assert_close(vertices.norm(dim=1), torch.ones(len(vertices), dtype=torch.float64), atol=1e-14, rtol=0)


def test_icosahedron_has_one_edge_length():
    mesh = icosphere(0)
    a, b, c = corners(mesh)
    edge = 1 / math.sin(2 * math.pi / 5)
    for length in ((a - b).norm(dim=1), (b - c).norm(dim=1), (c - a).norm(dim=1)):
        torch.testing.assert_close(length, torch.full((20,), edge, dtype=torch.float64), atol=1e-12, rtol=0)


@LEVELS
def test_faces_are_counter_clockwise_seen_from_outside(level):
    a, b, c = corners(icosphere(level))
    assert ((a * torch.linalg.cross(b, c, dim=1)).sum(1) > 0).all()


@LEVELS
def test_faces_cover_the_sphere_once(level):
    a, b, c = corners(icosphere(level))
    triple = (a * torch.linalg.cross(b, c, dim=1)).sum(1)
    angle = 2 * torch.atan2(triple, 1 + (a * b).sum(1) + (b * c).sum(1) + (c * a).sum(1))
    assert angle.sum().item() == pytest.approx(4 * math.pi, abs=1e-10)


@LEVELS
def test_every_edge_is_walked_once_in_each_direction(level):
    faces = icosphere(level).faces
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    walked = {tuple(e) for e in edges}
    assert len(walked) == len(edges) == 60 * 4**level
    assert walked == {(j, i) for i, j in walked}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_vertices_are_nested_and_new_ones_halve_the_edges(level):
    coarse, fine = icosphere(level - 1), icosphere(level)
    count = len(coarse.vertices)
    assert torch.equal(fine.vertices[:count], coarse.vertices)
    a, b, c = corners(coarse)
    middle = torch.nn.functional.normalize(torch.cat([a + b, b + c, c + a]), dim=1)
    distance = torch.cdist(fine.vertices[count:], middle, compute_mode="donot_use_mm_for_euclid_dist")
    assert distance.min(1).values.max() < 1e-12
    assert distance.min(0).values.max() < 1e-12


@LEVELS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_coordinate_planes_are_mirror_planes(level, axis):
    mesh = icosphere(level)
    mirror = torch.ones(3, dtype=torch.float64)
    mirror[axis] = -1
    assert as_set(mesh.vertices * mirror) == as_set(mesh.vertices)
    centers = mesh.vertices[mesh.faces].mean(1)
    assert as_set(centers * mirror) == as_set(centers)


def test_negative_level_is_refused():
    with pytest.raises(ValueError, match="-1"):
        icosphere(-1)


@LEVELS
def test_level_is_known_from_the_number_of_vertices(level):
    assert icosphere_level(len(icosphere(level).vertices)) == level
    assert icosphere_level(163842) == 7


@pytest.mark.parametrize("count", [0, 1, 11, 13, 2563, 10241])
def test_no_icosphere_has_so_many_vertices(count):
    with pytest.raises(ValueError, match=rf"got {count}\."):
        icosphere_level(count)
