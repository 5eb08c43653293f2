"""Patches of triangles: all are there, each within its cylinder."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.point_triangle import triangle_rows
from monai_cortex.geometry.triangle_patches import triangle_patches

MESH = icosphere(3)
ROWS = triangle_rows(MESH.vertices.numpy(), MESH.faces.numpy())


def beyond(cylinder, points):
    """How far points lie outside a cylinder, along and across."""
    along = (points - cylinder[:3]) @ cylinder[3:6]
    across = np.linalg.norm(points - cylinder[:3] - along[:, None] * cylinder[3:6], axis=1)
    return max((across - cylinder[6]).max(), (abs(along) - cylinder[7]).max())


def corners(rows):
    return np.concatenate([rows[:, :3], rows[:, :3] + rows[:, 3:6], rows[:, :3] + rows[:, 6:]])


@pytest.mark.parametrize("size", [0.01, 0.3, 9.0])
def test_every_triangle_is_in_one_patch_and_within_its_cylinders(size):
    patches = triangle_patches(ROWS, size)
    assert sorted(map(tuple, patches.rows)) == sorted(map(tuple, ROWS))
    assert patches.begin[0] == 0
    assert patches.begin[-1] == len(ROWS)
    for begin, end, cylinder in zip(patches.begin, patches.begin[1:], patches.cylinders, strict=False):
        assert begin < end
        assert beyond(cylinder, corners(patches.rows[begin:end])) <= 0
    for row, disc in zip(patches.rows, patches.discs.T, strict=True):
        assert beyond(disc, corners(row[None])) <= 0


def test_larger_cells_make_fewer_patches():
    assert len(triangle_patches(ROWS, 1.0).cylinders) < len(triangle_patches(ROWS, 0.2).cylinders)


def test_flat_triangles_lie_within_balls():
    patches = triangle_patches(np.array([[0.0, 0, 0, 1, 0, 0, 2, 0, 0]]), 1.0)
    np.testing.assert_allclose(patches.cylinders[0], [1, 0, 0, 0, 0, 0, 1, 0], atol=1e-8)
