import numpy as np
import pytest

from monai_cortex.data.dataset_check import check_dataset
from monai_cortex.data.diffusion import read_diffusion
from monai_cortex.data.mrtrix_gradients import write_mrtrix_gradients
from monai_cortex.data.subjects import diffusion_subjects
from monai_cortex.errors import ConfigError, GradientError, InputFileError

SHAPE = (4, 5, 6)


@pytest.fixture
def voxels():
    return np.random.default_rng(2).uniform(50, 100, (*SHAPE, 10)).astype(np.float32)


def item_of(folder):
    (item,) = diffusion_subjects(folder)
    return item


def test_scan_without_a_mask(subject, voxels, affine):
    voxels[0, 0, 0, :2] = 0
    voxels[0, 0, 1, :2] = 3, -5
    scan = read_diffusion(item_of(subject(voxels=voxels)))
    np.testing.assert_array_equal(scan.signal, np.moveaxis(voxels, -1, 0))
    assert scan.signal.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(scan.affine, affine)
    assert scan.table.bvalues.tolist() == [0, 5, *[1000] * 8]
    assert scan.mask.sum() == 4 * 5 * 6 - 2
    assert not scan.mask[0, 0, :2].any()
    assert (scan.subject, scan.nonfinite) == ("sub-1", 0)


@pytest.mark.parametrize("inside", [1, 255])
def test_mask_is_used(subject, voxels, inside):
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:, 2, 3:] = inside
    np.testing.assert_array_equal(read_diffusion(item_of(subject(voxels=voxels, mask=mask))).mask, mask > 0)


def test_mask_of_the_whole_image_is_a_mask(subject):
    assert read_diffusion(item_of(subject(mask=np.ones((*SHAPE, 1), np.uint8)))).mask.all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_non_finite_voxel(subject, voxels, refused, value, masked):
    voxels[1, 2, 3, 4] = value
    mask = np.ones(SHAPE, np.uint8) if masked else None
    item = item_of(subject(voxels=voxels, mask=mask))
    refused(InputFileError, lambda: read_diffusion(item), item["dwi"], "sub-1", "1 non-finite")
    scan = read_diffusion(item, nonfinite="mask")
    assert scan.nonfinite == 1
    assert not scan.mask[1, 2, 3]
    assert scan.mask.sum() == 4 * 5 * 6 - 1
    assert np.isfinite(scan.signal).all()
    np.testing.assert_array_equal(scan.signal[:, 0], np.moveaxis(voxels, -1, 0)[:, 0])


def test_nothing_left_to_use(subject, voxels, refused):
    voxels[..., :2] = 0
    item = item_of(subject(voxels=voxels))
    refused(InputFileError, lambda: read_diffusion(item), item["dwi"], "no voxel is left")


def test_mrtrix_table_gives_the_same_scan(subject):
    folder = subject()
    expected = read_diffusion(item_of(folder))
    write_mrtrix_gradients(folder / "dwi.b", expected.table)
    (folder / "dwi.bval").unlink()
    found = read_diffusion(item_of(folder))
    np.testing.assert_allclose(found.table.directions, expected.table.directions, atol=1e-9)
    np.testing.assert_allclose(found.table.bvalues, [0, 0, *[1000] * 8])
    np.testing.assert_array_equal(found.mask, expected.mask)


def test_mrtrix_table_of_another_series(subject, voxels, refused):
    folder = subject(voxels=voxels[..., :9])
    (folder / "dwi.b").write_text("0 0 0 0\n" + "1 0 0 1000\n" * 9)
    (folder / "dwi.bval").unlink()
    refused(GradientError, lambda: read_diffusion(item_of(folder)), folder / "dwi.b", "9 volumes, 10 b-values")


def test_numbers_of_volumes_differ(subject, voxels, refused):
    item = item_of(subject(voxels=voxels[..., :9]))
    refused(GradientError, lambda: read_diffusion(item), item["bval"], "9 volumes, 10 b-values, 10 vectors")


def test_image_of_three_dimensions(subject, voxels, refused):
    item = item_of(subject(voxels=voxels[..., 0]))
    refused(InputFileError, lambda: read_diffusion(item), item["dwi"], "ndim")


def test_unknown_policy(subject, refused):
    refused(ConfigError, lambda: read_diffusion(item_of(subject()), nonfinite="keep"), "keep")


def test_check_collects_the_problems_of_all_subjects(tmp_path, subject, voxels):
    subject("a-good")
    (subject("b-no-gradients") / "dwi.bvec").unlink()
    subject("c-short", voxels=voxels[..., :9])
    (subject("d-response") / "response_wm.txt").write_text("1 x")
    path = subject("e-damaged") / "dwi.nii.gz"
    path.write_bytes(path.read_bytes()[:-4])
    subject("f-good")
    errors = check_dataset("shd_deconvolution", tmp_path)[1]
    kinds = [InputFileError, GradientError, InputFileError, InputFileError]
    assert [type(error) for error in errors] == kinds
    names = ["b-no-gradients", "c-short", "d-response", "e-damaged"]
    assert all(name in str(error) for name, error in zip(names, errors, strict=True))
