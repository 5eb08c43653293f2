"""Grids that differ, and what the refusal says of it."""

import numpy as np
import pytest

from monai_cortex.data import Volume, require_same_grid
from monai_cortex.errors import GeometryError

SHAPE = (4, 5, 6)
AFFINES = {
    "orientations": np.diag([2.0, 2, 3, 1]) + np.array([[0, 0, 0, 24.0]] + [[0] * 4] * 3),
    "voxel sizes": np.diag([-2.0, 2, 3.3, 1]),
    "shifted": np.diag([-2.0, 2, 3, 1]) + np.array([[0] * 4, [0, 0, 0, 1.0], [0] * 4, [0] * 4]),
}


@pytest.fixture
def image():
    return Volume(np.ones((*SHAPE, 7), np.float32), np.diag([-2.0, 2, 3, 1]))


def test_same_grid_passes(image):
    require_same_grid(
        Volume(np.zeros(SHAPE, np.float32), image.affine + np.pad(np.full((3, 1), 0.1), ((0, 1), (3, 0)))),
        image,
        "a.nii",
    )


@pytest.mark.parametrize("what", AFFINES)
def test_what_differs_is_named(image, refused, what):
    other = Volume(np.zeros(SHAPE, np.float32), AFFINES[what])
    refused(
        GeometryError,
        lambda: require_same_grid(other, image, "a.nii", "sub-1", ("labels", "fixed image")),
        *("a.nii", "sub-1", what, "labels", "fixed image"),
    )


def test_shape_is_told(image, refused):
    other = Volume(np.zeros((4, 5, 5), np.float32), image.affine)
    refused(GeometryError, lambda: require_same_grid(other, image, "a.nii"), "(4, 5, 5)", "(4, 5, 6)", "shape")
