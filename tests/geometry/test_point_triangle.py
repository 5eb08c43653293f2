"""Distance of a point to a triangle: its seven regions, flat triangles, brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows

RIGHT = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])


def closest(corners, point):
    found = closest_on_triangle(triangle_rows(corners, np.array([[0, 1, 2]])), 0, *point)
    return found[0], np.array(found[1:])


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ((0.2, 0.3, 5), (0.2, 0.3, 0)),
        ((0.5, -2, 1), (0.5, 0, 0)),
        ((-3, 0.5, 0), (0, 0.5, 0)),
        ((1, 1, 1), (0.5, 0.5, 0)),
        ((-1, -1, 2), (0, 0, 0)),
        ((4, -1, 0), (1, 0, 0)),
        ((-1, 4, 0), (0, 1, 0)),
    ],
)
def test_seven_regions(point, nearest):
    squared, found = closest(RIGHT, point)
    np.testing.assert_allclose(found, nearest, atol=1e-15)
    assert squared == pytest.approx(np.sum((np.array(point) - nearest) ** 2))


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_no_sample_of_the_triangle_is_nearer(seed):
    rng = np.random.default_rng(seed)
    corners, point = rng.normal(size=(3, 3)), rng.normal(size=3) * 2
    squared, found = closest(corners, point)
    samples = rng.dirichlet(np.full(3, 0.5), 2000) @ corners
    distances = ((samples - point) ** 2).sum(1)
    assert squared <= distances.min() + 1e-12
    assert squared == pytest.approx(((found - point) ** 2).sum())
    assert distances.min() < squared + 0.3


@given(st.permutations([0, 1, 2]), st.tuples(*[st.floats(-3, 3)] * 3))
@settings(deadline=None)
def test_order_of_the_corners_does_not_matter(order, point):
    assert closest(RIGHT[list(order)], point)[0] == pytest.approx(closest(RIGHT, point)[0], abs=1e-12)


def test_segments_and_points_have_distances_too():
    assert closest(np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]), (2, 1, 0))[0] == pytest.approx(1)
    assert closest(np.array([[0.0, 0, 0]] * 3), (2, 1, 0))[0] == pytest.approx(5)
