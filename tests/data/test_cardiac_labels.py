"""Which number is which structure of the heart."""

import numpy as np
import pytest

from monai_cortex.data import Volume, read_cardiac_labels
from monai_cortex.data.cardiac_labels import CARDIAC_LABELS, require_label_names
from monai_cortex.errors import ConfigError, GeometryError, InputFileError

MNMS = {"lv": 1, "myo": 2, "rv": 3}


@pytest.fixture
def image(heart, affine):
    return Volume(np.ones(heart.shape, np.float32), affine)


def test_labels_of_acdc_stay(nifti, heart, image):
    found = read_cardiac_labels(nifti("seg.nii.gz", heart), image)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, heart)


@pytest.mark.parametrize("numbers", [MNMS, {"lv": 500, "myo": 200, "rv": 600}])
def test_other_numbers_are_brought_into_order(nifti, heart, image, numbers):
    theirs = np.zeros(heart.shape, np.int16)
    for name, number in numbers.items():
        theirs[heart == CARDIAC_LABELS[name]] = number
    np.testing.assert_array_equal(read_cardiac_labels(nifti("seg.nii.gz", theirs), image, numbers), heart)


def test_exchanged_ventricles_are_refused(nifti, heart, image, refused):
    theirs = np.array([0, 3, 2, 1], np.uint8)[heart]
    path = nifti("seg.nii.gz", theirs)
    refused(InputFileError, lambda: read_cardiac_labels(path, image, subject="s1"), path, "s1", "exchanged", "M&Ms")


def test_unknown_numbers_name_other_data_sets(nifti, heart, image, refused):
    path = nifti("seg.nii.gz", heart.astype(np.int16) * 100)
    refused(InputFileError, lambda: read_cardiac_labels(path, image), path, "100, 200, 300", "1 rv", "MS-CMRSeg")


@pytest.mark.parametrize("numbers", [CARDIAC_LABELS, None])
def test_what_is_no_label(nifti, heart, image, refused, numbers):
    for voxels, word in (
        (np.zeros_like(heart), "empty"),
        (heart.astype(np.float32) / 2, "whole"),
        (-heart.astype(np.int16), "whole"),
        (heart.astype(np.int32) * 20000, "whole"),
    ):
        path = nifti("seg.nii.gz", voxels)
        refused(InputFileError, lambda path=path: read_cardiac_labels(path, image, numbers), path, word)
    path = nifti("seg.nii.gz", heart[1:])
    refused(GeometryError, lambda: read_cardiac_labels(path, image, numbers, name="fixed image"), path, "fixed image")


def test_other_anatomy_keeps_its_numbers(nifti, heart, image):
    theirs = heart.astype(np.int16) * 1000
    np.testing.assert_array_equal(read_cardiac_labels(nifti("seg.nii.gz", theirs), image, None), theirs)


@pytest.mark.parametrize(
    "numbers",
    [{}, {"rv": 1, "myo": 2}, {"rv": 1, "myo": 2, "lv": 2}, {"rv": 0, "myo": 2, "lv": 3}, CARDIAC_LABELS | {"a": 4}],
)
def test_tables_that_cannot_be(refused, numbers):
    refused(ConfigError, lambda: require_label_names(numbers), "ACDC", "M&Ms")


def test_whole_tables_pass():
    for numbers in (CARDIAC_LABELS, MNMS, None):
        require_label_names(numbers)
