"""What is read of a pair, and what is refused."""

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data import read_cardiac_pair
from monai_cortex.data.cardiac_subjects import cardiac_subjects
from monai_cortex.data.dataset_check import check_dataset
from monai_cortex.errors import GeometryError, InputFileError


def read(folder, **options):
    return read_cardiac_pair(cardiac_subjects(folder, strict=False, **options)[0])


def test_pair_is_read_whole(tmp_path, heart_pair, heart, affine):
    heart_pair()
    pair = read(tmp_path)
    assert pair.subject == "sub-1"
    np.testing.assert_array_equal(pair.moving_label, heart)
    np.testing.assert_array_equal(pair.fixed_label, np.roll(heart, 1, 0))
    np.testing.assert_array_equal(pair.fixed.affine, affine)
    for image, label in ((pair.fixed, pair.fixed_label), (pair.moving, pair.moving_label)):
        assert image.values[label == 3].mean() == pytest.approx(300, abs=2)


def test_labels_may_be_absent(tmp_path, heart_pair):
    (heart_pair() / "fixed_seg.nii.gz").unlink()
    pair = read(tmp_path)
    assert pair.fixed_label is None
    assert pair.moving_label is not None


def acdc_header(header):
    """ACDC's headers hold the voxel size in the qform; their sform has 1 mm."""
    header.set_qform(np.diag([-1.5, -1.5, 10, 1]), 1)
    header.set_sform(np.diag([-1.0, -1, 1, 1]), 1)


@pytest.mark.parametrize("direction", ["ed2es", "es2ed"])
def test_patient_of_acdc(tmp_path, patient, heart, direction):
    patient(edit=acdc_header)
    pair = read(tmp_path, direction=direction)
    diastole = pair.moving_label if direction == "ed2es" else pair.fixed_label
    np.testing.assert_array_equal(diastole, heart)
    assert np.linalg.norm(pair.fixed.affine[:3, :3], axis=0).tolist() == [1.5, 1.5, 10]


def test_patient_without_voxel_size(tmp_path, patient, refused):
    patient(edit=lambda header: header.set_sform(np.diag([-1.0, -1, 1, 1]), 1))
    refused(GeometryError, lambda: read(tmp_path), "patient001_frame12.nii.gz", "qform", "1 x 1 x 1 mm")


def test_patient_without_frames(tmp_path, patient, refused):
    place = patient(info="ED: 1")
    refused(InputFileError, lambda: read(tmp_path), place / "Info.cfg")


def test_frame_that_is_not_there(tmp_path, patient, refused):
    patient(info="ED: 1\nES: 13")
    refused(InputFileError, lambda: read(tmp_path), "patient001_frame13.nii.gz", "patient001")


IMAGES = {
    "constant": np.ones_like,
    "non-finite": lambda voxels: np.where(voxels > 300, np.nan, voxels).astype(np.float32),
    "ndim": lambda voxels: np.stack([voxels, voxels], -1),
    "single slice": lambda voxels: voxels[..., :1],
}


@pytest.mark.parametrize("word", IMAGES)
@pytest.mark.parametrize("name", ["fixed", "moving"])
def test_images_that_cannot_be(tmp_path, heart_pair, refused, name, word):
    place = heart_pair()
    voxels = IMAGES[word](nib.load(place / f"{name}.nii.gz").get_fdata(dtype=np.float32))
    heart_pair(replace={name: voxels})
    refused(InputFileError, lambda: read(tmp_path), place / f"{name}.nii.gz", "sub-1", word)


def test_images_of_two_grids(tmp_path, heart_pair, heart, nifti, refused):
    heart_pair()
    nifti("sub-1/moving.nii.gz", heart, srow_z=[0, 0, 4, 5])
    refused(GeometryError, lambda: read(tmp_path), "moving.nii.gz", "voxel sizes", "moving image", "fixed image")


def test_labels_of_another_grid(tmp_path, heart_pair, heart, refused):
    heart_pair(replace={"moving_seg": heart[:, 1:]})
    refused(GeometryError, lambda: read(tmp_path), "moving_seg.nii.gz", "moving image")


def test_labels_of_another_convention(tmp_path, heart_pair, heart, refused):
    heart_pair(replace={f"{name}_seg": np.array([0, 3, 2, 1], np.uint8)[heart] for name in ("fixed", "moving")})
    refused(InputFileError, lambda: read(tmp_path), "fixed_seg.nii.gz", "exchanged", "M&Ms")
    assert (read(tmp_path, labels={"lv": 1, "myo": 2, "rv": 3}).moving_label == heart).all()


def test_check_names_the_bad_one(tmp_path, heart_pair, patient):
    heart_pair("a")
    patient("b/patient001", info="")
    heart_pair("c", replace={"moving": np.zeros((24, 20, 6), np.float32)})
    errors = check_dataset("fsdiffreg_cardiac", tmp_path)[1]
    assert ["patient001" in str(errors[0]), "subject c" in str(errors[1])] == [True, True]
    count, found = check_dataset("fsdiffreg_cardiac", tmp_path)
    assert (count, list(map(str, found))) == (3, list(map(str, errors)))
