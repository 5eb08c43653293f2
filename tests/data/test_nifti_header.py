from itertools import product

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data.nifti import read_volume
from monai_cortex.errors import InputFileError

SHEARED = np.array([[2.0, 0.5, 0, 1], [0, 2, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]])


def patch(position, content):
    return lambda data: data[:position] + content + data[position + len(content) :]


def set_forms(sform=None, qform=None):
    """Declare the forms given, and no others."""

    def edit(header):
        header.set_sform(sform, 0 if sform is None else 1)
        header.set_qform(qform, 0 if qform is None else 1)

    return edit


def set_dims(*dims):
    return lambda header: header["dim"].__setitem__(slice(None), dims)


def fill_sform(value):
    return lambda header: header["srow_y"].fill(value)


LAS = np.diag([-2.0, 2, 3, 1])
FLIPPED = np.diag([2.0, 2, 3, 1])
ENLARGED = np.diag([-2.0, 2.2, 3, 1])
FAULTS = {
    "wrong magic": ({"edit_bytes": patch(344, b"nix\0")}, "magic"),
    "no magic": ({"edit_bytes": patch(344, b"\0\0\0\0")}, "magic"),
    "header size": ({"edit_bytes": patch(0, b"\x5d\x01\0\0")}, "header-size"),
    "header cut": ({"edit_bytes": lambda data: data[:300]}, "truncated"),
    "data cut": ({"edit_bytes": lambda data: data[:-1]}, "832 bytes"),
    "header only": ({"edit_bytes": lambda data: data[:352]}, "truncated"),
    "claims 4 TB": ({"edit": set_dims(3, 10000, 10000, 10000, 1, 1, 1, 1)}, "claims 4,000,000,000,352 bytes"),
    "claims beyond 64 bits": ({"edit": set_dims(7, *[30000] * 7)}, "claims"),
    "negative size": ({"edit": set_dims(3, 4, -5, 6, 1, 1, 1, 1)}, "dim"),
    "zero size": ({"edit": set_dims(3, 4, 0, 6, 1, 1, 1, 1)}, "dim"),
    "no axes": ({"edit": set_dims(0, 4, 5, 6, 1, 1, 1, 1)}, "dim"),
    "eight axes": ({"edit": set_dims(8, 4, 5, 6, 1, 1, 1, 1)}, "dim"),
    "unknown type": ({"datatype": 4711}, "4711"),
    "bits": ({"datatype": 1}, "data type"),
    "colors": ({"datatype": 128}, "structured"),
    "complex": ({"datatype": 32}, "complex voxels"),
    "offset inside the header": ({"vox_offset": 100}, "vox_offset"),
    "offset not finite": ({"vox_offset": np.nan}, "vox_offset"),
    "offset negative": ({"vox_offset": -352}, "vox_offset"),
    "offset broken": ({"vox_offset": 352.5}, "vox_offset"),
    "offset beyond the end": ({"vox_offset": 1e6}, "truncated"),
    "intercept": ({"scl_slope": 1, "scl_inter": np.inf}, "scl_inter"),
    "no orientation": ({"edit": set_forms()}, "no orientation"),
    "singular sform": ({"edit": fill_sform(0)}, "sform affine is not invertible"),
    "non-finite sform": ({"edit": fill_sform(np.nan)}, "sform affine is not invertible"),
    "singular qform": ({"sform_code": 0, "qform_code": 1, "pixdim": [1, 0, 2, 2, 0, 0, 0, 0]}, "qform affine"),
    "negative qform": ({"sform_code": 0, "qform_code": 1, "pixdim": [1, -2, 2, 2, 0, 0, 0, 0]}, "qform affine"),
    "impossible quaternion": ({"sform_code": 0, "qform_code": 1, "quatern_b": 9}, "qform affine"),
    "flipped": ({"edit": set_forms(LAS, FLIPPED)}, "disagree"),
    "scaled": ({"edit": set_forms(LAS, ENLARGED)}, "up to 0.4 voxels apart"),
    "huge voxels": ({"edit": set_forms(np.diag([1e3, 1, 1, 1]))}, "voxel size"),
    "tiny voxels": ({"xyzt_units": 3}, "unit"),
}


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("fault", FAULTS)
def test_impossible_headers_are_refused(nifti, refused, fault, name):
    how, word = FAULTS[fault]
    path = nifti(name, **how)
    refused(InputFileError, lambda: read_volume(path, subject="sub-1"), path, "sub-1", word)


def test_both_forms_may_agree(nifti):
    path = nifti(edit=set_forms(LAS, LAS))
    np.testing.assert_allclose(read_volume(path).affine, LAS, atol=1e-6)


@pytest.mark.parametrize(("prefer", "expected"), [("sform", LAS), ("qform", FLIPPED)])
def test_caller_may_prefer_one_of_two_forms(nifti, prefer, expected):
    path = nifti(edit=set_forms(LAS, FLIPPED))
    np.testing.assert_allclose(read_volume(path, prefer=prefer).affine, expected, atol=1e-6)


def test_qform_alone_is_used(nifti):
    oblique = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([2.0, 3, 4]), [1, 2, 3])
    path = nifti(edit=set_forms(qform=oblique))
    np.testing.assert_allclose(read_volume(path).affine, oblique, atol=1e-5)


def test_qfac_of_zero_means_one(nifti):
    path = nifti(edit=set_forms(qform=FLIPPED), pixdim=[0, 2, 2, 3, 1, 0, 0, 0])
    np.testing.assert_allclose(read_volume(path).affine, FLIPPED, atol=1e-6)


def test_shear_is_honored(nifti):
    np.testing.assert_allclose(read_volume(nifti(edit=set_forms(SHEARED))).affine, SHEARED, atol=1e-6)


@pytest.mark.parametrize(("size", "qform_code"), [*product([0, -1, np.nan, np.inf], [0, 1]), (1, 0)])
def test_invalid_pixdim_does_not_change_a_valid_sform(nifti, affine, size, qform_code):
    path = nifti(pixdim=[1, *[size] * 3, 1, 0, 0, 0], qform_code=qform_code)
    np.testing.assert_allclose(read_volume(path).affine, affine, atol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [(0, 1), (1, 1e-3), (2, 1), (3, 1e3), (2 + 8, 1)])
def test_units_become_millimeters(nifti, affine, unit, factor):
    stored = affine.copy()
    stored[:3] *= factor
    path = nifti(edit=set_forms(stored), xyzt_units=unit)
    np.testing.assert_allclose(read_volume(path).affine, affine, rtol=1e-6)
