"""Walks over triangles; what they are for is tested with point location."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.triangle_walk import corner_planes, triangle_walk, walk

MESH = icosphere(2)
VERTICES, FACES = MESH.vertices.numpy(), MESH.faces.numpy()


@pytest.fixture(scope="module")
def prepared():
    return triangle_walk(VERTICES, FACES)


def test_neighbors_share_the_side_opposite_to_the_corner(prepared):
    for face, row in enumerate(prepared.neighbors):
        for corner, other in enumerate(row):
            side = set(FACES[face]) - {FACES[face, corner]}
            assert side < set(FACES[other])
            assert face in prepared.neighbors[other]


def test_border_has_no_neighbor():
    assert triangle_walk(VERTICES, FACES[:1]).neighbors.tolist() == [[-1, -1, -1]]


def test_every_start_leads_to_the_same_triangle(prepared):
    """Across the whole sphere too."""
    points = np.repeat(VERTICES[FACES].mean(1)[:40], 8, 0)
    starts = np.tile(np.arange(0, len(FACES), 40), 40)
    face, weights = walk(prepared, points, starts)
    assert (face == np.repeat(np.arange(40), 8)).all()
    np.testing.assert_allclose(weights, 1 / 3, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(1e-3, 1e3))
def test_triangle_holds_the_point_at_any_radius(seed, radius):
    points = radius * np.random.default_rng(seed).normal(size=(50, 3))
    prepared = triangle_walk(100 * VERTICES, FACES)
    face, weights = walk(prepared, points)
    meets = np.einsum("qk,qki->qi", weights, VERTICES[FACES[face]])
    assert (weights > -1e-9).all()
    np.testing.assert_allclose(np.cross(meets, points / radius), 0, atol=1e-12)


def test_planes_are_cross_products_of_the_other_corners():
    planes = corner_planes(VERTICES, *FACES[7])
    a, b, c = VERTICES[FACES[7]]
    np.testing.assert_allclose(planes, [np.cross(b, c), np.cross(c, a), np.cross(a, b)], atol=1e-15)


def test_faces_name_vertices():
    with pytest.raises(ValueError, match="0 to 9"):
        triangle_walk(VERTICES[:10], FACES)
