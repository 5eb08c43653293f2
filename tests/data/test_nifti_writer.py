import gzip
import hashlib
import json

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data.nifti import read_volume
from monai_cortex.data.nifti_writer import write_volume

OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ np.diag([-2.0, 2.5, 3]), [1, 2, 3])
SHEARED = OBLIQUE @ np.array([[1.0, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("grid", [OBLIQUE, SHEARED])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 6)])
def test_volumes_read_back(tmp_path, name, grid, shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_volume(tmp_path / name, values, grid, {})
    found = read_volume(tmp_path / name)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_allclose(found.affine, grid, atol=1e-6)


def test_header_says_what_it_should(tmp_path, values):
    write_volume(tmp_path / "a.nii.gz", values, OBLIQUE)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header.get_data_dtype() == np.float32
    assert header["descrip"] == header["aux_file"] == b""
    np.testing.assert_allclose(header.get_zooms(), [2, 2.5, 3], rtol=1e-6)


def test_sheared_grid_declares_no_qform(tmp_path, values):
    write_volume(tmp_path / "a.nii.gz", values, SHEARED)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (1, 0)


def test_equal_inputs_give_equal_bytes(tmp_path, values):
    contents = []
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, values, OBLIQUE, {"units": "1"})
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0][3:8] == bytes(5), "no name, no time"
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.nii.gz", "b.json", "b.nii.gz"]


def test_sidecar_holds_the_record_and_the_digest(tmp_path, values):
    write_volume(tmp_path / "a.b.nii.gz", values, OBLIQUE, {"units": "1/sr", "sources": ["dwi.nii.gz"]})
    record = json.loads((tmp_path / "a.b.json").read_text())
    digest = hashlib.sha256((tmp_path / "a.b.nii.gz").read_bytes()).hexdigest()
    assert record == {"units": "1/sr", "sources": ["dwi.nii.gz"], "sha256": digest}


def test_missing_peaks_stay_nan(tmp_path, values):
    values[0, 0, 0] = np.nan
    write_volume(tmp_path / "a.nii.gz", values, OBLIQUE)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz", nonfinite="keep").values, values)


def test_integers_are_rounded(tmp_path):
    values = np.array([[[0.4, 0.6, 255.0, 254.7]]])
    write_volume(tmp_path / "a.nii.gz", values, OBLIQUE, dtype=np.uint8)
    stored = nib.load(tmp_path / "a.nii.gz")
    assert stored.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(stored.dataobj), [[[0, 1, 255, 255]]])


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan, np.inf])
def test_integers_never_wrap(tmp_path, value):
    with pytest.raises(ValueError, match="uint8 holds 0 to 255"):
        write_volume(tmp_path / "a.nii.gz", np.array([[[0.0, value]]]), OBLIQUE, dtype=np.uint8)
    assert not list(tmp_path.iterdir())


def test_truth_values_and_intents_can_be_written(tmp_path, values):
    write_volume(tmp_path / "a.nii.gz", values > 100, OBLIQUE, dtype=np.uint8, intent="vector")
    stored = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(stored.dataobj), values > 100)
    assert stored.header["intent_code"] == 1007


@pytest.mark.parametrize("name", ["a.mgz", "a.nii.zip", "a"])
def test_other_suffixes_are_refused(tmp_path, values, name):
    with pytest.raises(ValueError, match=r"\.nii"):
        write_volume(tmp_path / name, values, OBLIQUE)


def test_singular_grid_is_refused(tmp_path, values):
    with pytest.raises(ValueError, match="invertible"):
        write_volume(tmp_path / "a.nii.gz", values, np.diag([1.0, 0, 1, 1]))


def test_failed_write_keeps_the_old_image(tmp_path, values, monkeypatch):
    path = tmp_path / "a.nii.gz"
    write_volume(path, values, OBLIQUE)
    old = path.read_bytes()
    monkeypatch.setattr(gzip.GzipFile, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_volume(path, values + 1, OBLIQUE)
    assert path.read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]
