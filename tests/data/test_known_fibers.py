import numpy as np
import pytest

from monai_cortex.data import read_known_fibers, read_volume
from monai_cortex.errors import InputFileError

SHAPE = (4, 5, 6)


@pytest.fixture
def file(nifti):
    return lambda count, shape=SHAPE: nifti("fibers.nii.gz", np.random.default_rng(1).normal(size=(*shape, count)))


def test_three_volumes_are_one_vector(file):
    path = file(6)
    fibers = read_known_fibers(path, SHAPE)
    assert fibers.shape == (*SHAPE, 2, 3)
    np.testing.assert_array_equal(fibers[..., 1, :], read_volume(path, ndim=4).values[..., 3:])


@pytest.mark.parametrize(("count", "shape", "word"), [(7, SHAPE, "7 volumes"), (6, (4, 5, 5), "(4, 5, 5)")])
def test_other_files_are_refused(file, refused, count, shape, word):
    path = file(count, shape)
    refused(InputFileError, lambda: read_known_fibers(path, SHAPE, "s1"), path, "s1", word)
