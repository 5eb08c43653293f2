import numpy as np
import pytest

from monai_cortex.data import Volume, read_mask
from monai_cortex.errors import GeometryError, InputFileError

SHAPE = (4, 5, 6)


@pytest.fixture
def image(affine):
    return Volume(np.ones((*SHAPE, 7), np.float32), affine)


@pytest.mark.parametrize("inside", [1, 255])
def test_any_one_positive_value_is_inside(image, nifti, inside):
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:, 2, 3:] = inside
    found = read_mask(nifti("mask.nii.gz", mask), image)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask > 0)


MASKS = {
    "empty": (np.zeros(SHAPE, np.uint8), InputFileError, "empty"),
    "other shape": (np.ones((4, 5, 7), np.uint8), GeometryError, "(4, 5, 7)"),
    "labels": (np.arange(120, dtype=np.uint8).reshape(SHAPE) % 3, InputFileError, "binary"),
    "no zero": (np.arange(120, dtype=np.uint8).reshape(SHAPE) % 2 + 1, InputFileError, "binary"),
    "negative": (-np.ones(SHAPE, np.int16), InputFileError, "binary"),
    "four dimensions": (np.ones((*SHAPE, 2), np.uint8), InputFileError, "ndim"),
    "not finite": (np.full(SHAPE, np.nan, np.float32), InputFileError, "non-finite"),
}


@pytest.mark.parametrize("fault", MASKS)
def test_impossible_masks(image, nifti, refused, fault):
    mask, kind, word = MASKS[fault]
    path = nifti("mask.nii.gz", mask)
    refused(kind, lambda: read_mask(path, image, "sub-1"), path, "sub-1", word)


def test_grid_may_differ_by_a_tenth_of_a_voxel(image, nifti, refused):
    ones = np.ones(SHAPE, np.uint8)
    assert read_mask(nifti("near.nii.gz", ones, srow_x=[-2.0, 0, 0, 30.1]), image).all()
    far = nifti("far.nii.gz", ones, srow_x=[2.0, 0, 0, 30])
    refused(GeometryError, lambda: read_mask(far, image), far, "corners up to 6 voxels apart")
