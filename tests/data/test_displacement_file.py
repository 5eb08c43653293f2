import json

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import read_displacement, write_displacement, write_volume
from monai_cortex.errors import GeometryError, InputFileError

OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([-1.5, 1.5, 3.15]), [1, 2, 3])
SHEARED = OBLIQUE @ np.array([[1.0, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
SHAPE = (4, 5, 6)


@pytest.fixture
def ddf():
    return torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["warp.nii", "warp.nii.gz"])
@pytest.mark.parametrize("affine", [OBLIQUE, SHEARED, np.diag([1.5, 1.5, 3, 1])])
def test_fields_read_back(tmp_path, ddf, name, affine):
    write_displacement(tmp_path / name, ddf, affine)
    found = read_displacement(tmp_path / name)
    assert found.ddf.dtype == torch.float32
    torch.testing.assert_close(found.ddf, ddf, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.affine, affine, atol=1e-6)


def test_file_holds_mm_in_lps(tmp_path):
    ddf = torch.zeros(3, *SHAPE)
    ddf[:, 1, 2, 3] = torch.tensor([1.0, 2.0, 3.0])
    write_displacement(tmp_path / "warp.nii.gz", ddf, np.diag([1.5, 2, 3, 1]))
    image = nib.load(tmp_path / "warp.nii.gz")
    assert image.shape == (*SHAPE, 1, 3)
    assert (image.header["intent_code"], image.header.get_xyzt_units()[0]) == (1007, "mm")
    np.testing.assert_allclose(image.dataobj[1, 2, 3, 0], [-1.5, -4, 9], rtol=1e-6)
    assert np.count_nonzero(image.dataobj) == 3


def test_record_and_bytes_are_complete_and_equal(tmp_path, ddf):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_displacement(tmp_path / name, ddf, OBLIQUE, {"sources": ["fixed.nii.gz", "moving.nii.gz"]})
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["units"], record["axes"], record["sources"][0]) == ("mm", "LPS", "fixed.nii.gz")
    assert "pull-back" in record["convention"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("shape", "intent", "words"),
    [
        ((*SHAPE, 1, 3), "displacement vector", ("found: NIfTI intent 1006", "expected: NIfTI intent 1007 (vector)")),
        ((*SHAPE, 1, 3), "none", ("found: NIfTI intent 0", "expected: NIfTI intent 1007 (vector)")),
        ((*SHAPE, 3), "vector", ("4 dimensions", "expected: 5 dimensions")),
        ((*SHAPE, 2, 3), "vector", ("(4, 5, 6, 2, 3)", "(I, J, K, 1, 3)")),
        ((*SHAPE, 1, 2), "vector", ("(4, 5, 6, 1, 2)", "(I, J, K, 1, 3)")),
    ],
)
def test_other_images_are_refused(tmp_path, refused, shape, intent, words):
    path = tmp_path / "other.nii.gz"
    write_volume(path, np.random.default_rng(0).normal(size=shape), OBLIQUE, intent=intent)
    refused(InputFileError, lambda: read_displacement(path, "patient001"), path, "patient001", *words)


def test_damaged_fields_are_refused(tmp_path, refused, ddf):
    path = tmp_path / "warp.nii"
    write_displacement(path, ddf, OBLIQUE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    refused(InputFileError, lambda: read_displacement(path), path, "truncated")
    path.write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
    refused(InputFileError, lambda: read_displacement(path), path, "1 non-finite voxels")


def test_unknown_intents_are_named_by_their_number(nifti, refused):
    path = nifti("odd.nii.gz", np.zeros((*SHAPE, 1, 3), np.float32), intent_code=4321)
    refused(InputFileError, lambda: read_displacement(path), "NIfTI intent 4321 (unknown)")


def test_what_cannot_be_written_leaves_no_file(tmp_path, ddf):
    with pytest.raises(ValueError, match="finite"):
        write_displacement(tmp_path / "a.nii.gz", ddf.index_fill(1, torch.tensor([0]), torch.nan), OBLIQUE)
    with pytest.raises(ValueError, match="change the name"):
        write_displacement(tmp_path / "a.mha", ddf, OBLIQUE)
    with pytest.raises(GeometryError, match="not a displacement field"):
        write_displacement(tmp_path / "a.nii.gz", ddf[None], OBLIQUE)
    assert not list(tmp_path.iterdir())
