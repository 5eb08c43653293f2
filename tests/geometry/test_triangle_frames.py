"""Eight points at once: the distances of one point at a time, flat and thin triangles too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows
from monai_cortex.geometry.triangle_frames import FRAME, LANES, lower_distances, triangle_frame

RIGHT = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])


def rows_of(*triangles):
    return triangle_rows(np.concatenate(triangles), np.arange(3 * len(triangles)).reshape(-1, 3))


def squared(rows, points, known=np.inf):
    frames, nodes = np.empty((len(rows), FRAME)), np.full((2, 4 * LANES), 7.0)
    for row, frame in zip(rows, frames, strict=True):
        triangle_frame(row, frame)
    nodes[1] = np.concatenate([points.T.ravel(), np.full(LANES, known)])
    lower_distances(frames, np.uint64(0), np.uint64(len(rows)), nodes, np.uint64(1))
    assert (nodes[0] == 7).all()
    return nodes[1, 3 * LANES :]


def test_all_regions_of_a_right_triangle():
    points = np.array([[0.2, 0.3, 5], [0.5, -2, 1], [-3, 0.5, 0], [1, 1, 1], [-1, -1, 2], [4, -1, 0], [-1, 4, 0]])
    nearest = np.array([[0.2, 0.3, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points, nearest = (np.concatenate([a, [[1.0, 0, 0]]]) for a in (points, nearest))
    np.testing.assert_allclose(squared(rows_of(RIGHT), points), ((points - nearest) ** 2).sum(1), atol=1e-14)


@given(st.integers(0, 10**6), st.sampled_from([1.0, 1e-4, 1e-8, 1e-12, 0.0]), st.permutations([0, 1, 2]))
@settings(max_examples=100, deadline=None)
def test_equals_the_distance_of_each_point_however_thin_the_triangle(seed, width, order):
    """A thin one is measured against its long side: what is farther off than its width is an error of the frame."""
    rng = np.random.default_rng(seed)
    corners, points = rng.normal(size=(3, 3)) * 2, rng.normal(size=(int(LANES), 3)) * 3
    foot = corners[0] + rng.uniform(-0.2, 1.2) * (corners[1] - corners[0])
    corners[2] = foot + width * (corners[2] - foot)
    found = squared(rows_of(corners[order]), points)
    row = rows_of(corners if width > 1e-6 else corners[[0, 1, 1]])
    row = rows_of(*[corners[[m, n, n]] for m, n in ((0, 1), (1, 2), (2, 0))]) if width <= 1e-6 else row
    truth = [min(closest_on_triangle(row, f, *point)[0] for f in range(len(row))) for point in points]
    np.testing.assert_allclose(np.sqrt(found), np.sqrt(truth), atol=1e-11 + (20 * width if width <= 1e-6 else 0))


def test_a_point_has_a_distance_too_and_nearer_ones_stay():
    points = np.arange(24.0).reshape(8, 3)
    truth = ((points - 3) ** 2).sum(1)
    dot = rows_of(np.full((3, 3), 3.0))
    np.testing.assert_allclose(squared(dot, points), truth, atol=1e-12)
    np.testing.assert_allclose(squared(dot, points, 50.0), np.minimum(truth, 50), atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 200.0])
def test_nearest_of_several(shift):
    rng = np.random.default_rng(3)
    corners, points = rng.normal(size=(5, 3, 3)) + shift, rng.normal(size=(8, 3)) + shift
    rows = rows_of(*corners)
    truth = [min(closest_on_triangle(rows, f, *point)[0] for f in range(5)) for point in points]
    np.testing.assert_allclose(squared(rows, points), truth, atol=1e-11)
