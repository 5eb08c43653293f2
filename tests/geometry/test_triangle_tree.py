"""Nearest triangle: brute force, few triangles, limits."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows
from monai_cortex.geometry.triangle_tree import nearest_triangle, triangle_tree

VERTICES, FACES = (array.numpy() for array in icosphere(3))
STACK = np.empty((64, 2))


@pytest.mark.parametrize("count", [1, 2, 4, 5, 17, len(FACES)])
def test_equals_brute_force(count):
    rng = np.random.default_rng(count)
    vertices = VERTICES + rng.normal(size=VERTICES.shape) * 0.05
    tree, rows = triangle_tree(vertices, FACES[:count]), triangle_rows(vertices, FACES[:count])
    for point in rng.normal(size=(200, 3)):
        squared, row = nearest_triangle(tree, *point, np.inf, -1, STACK)
        truth = min(closest_on_triangle(rows, f, *point)[0] for f in range(count))
        assert squared == truth
        assert closest_on_triangle(rows, tree.order[row], *point)[0] == truth


def test_nothing_within_the_limit():
    tree = triangle_tree(VERTICES, FACES)
    assert nearest_triangle(tree, 3.0, 0.0, 0.0, 1.0, 7, STACK) == (1.0, 7)


def test_boxes_hold_what_lies_below_them():
    boxes = triangle_tree(VERTICES, FACES).boxes
    for node in range(1, len(boxes) // 2):
        for child in (2 * node, 2 * node + 1):
            assert (boxes[node, :3] <= boxes[child, :3]).all()
            assert (boxes[node, 3:] >= boxes[child, 3:]).all()
