"""Patches of triangles: all are there, each within its cylinder."""

import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.triangle_patches import triangle_patches

MESH = icosphere(3)
VERTICES, FACES = MESH.vertices.numpy(), MESH.faces.numpy()


def beyond(cylinder, points):
    """How far points lie outside a cylinder, along and across."""
    along = (points - cylinder[:3]) @ cylinder[3:6]
    across = np.linalg.norm(points - cylinder[:3] - along[:, None] * cylinder[3:6], axis=1)
    return max((across - cylinder[6]).max(), (abs(along) - cylinder[7]).max())


def corners(frames):
    """Corners of triangles from their frames."""
    axes, start = frames[:, :12].reshape(-1, 3, 4)[..., :3], frames[:, 3:12:4]
    zero = np.zeros(len(frames))
    local = [np.zeros((len(frames), 3)), np.stack([frames[:, 12], zero, zero], 1)]
    local.append(np.stack([frames[:, 13], frames[:, 14], zero], 1))
    return np.stack([np.einsum("fij,fi->fj", axes, start + point) for point in local], 1)


@pytest.mark.parametrize("size", [0.01, 0.3, 9.0])
def test_every_triangle_is_in_one_patch_and_within_its_cylinder(size):
    patches = triangle_patches(VERTICES, FACES, size)
    found = corners(patches.frames)
    keys = [sorted(sorted(map(tuple, np.round(triangle, 9) + 0.0)) for triangle in a) for a in (found, VERTICES[FACES])]
    assert keys[0] == keys[1]
    assert patches.begin[0] == 0
    assert patches.begin[-1] == len(FACES)
    for begin, end, cylinder in zip(patches.begin, patches.begin[1:], patches.cylinders, strict=False):
        assert begin < end
        assert beyond(cylinder, found[begin:end].reshape(-1, 3)) <= 0


def test_larger_cells_make_fewer_patches():
    few, many = (len(triangle_patches(VERTICES, FACES, size).cylinders) for size in (1.0, 0.2))
    assert few < many


def test_flat_triangles_lie_within_balls():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    patches = triangle_patches(vertices, np.array([[0, 1, 2]]), 1.0)
    np.testing.assert_allclose(patches.cylinders[0], [1, 0, 0, 0, 0, 0, 1, 0], atol=1e-8)
