"""FreeSurfer's volumes, written."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data.mgh_writer import write_mgh

AFFINE = np.array([[-1.4, 0, 0, 70.25], [0, 0, 1.4, -100.5], [0, -1.4, 0, 80.125], [0, 0, 0, 1]])


@pytest.fixture
def values():
    return np.random.default_rng(0).random((5, 6, 7), np.float32)


@pytest.mark.parametrize("suffix", ["mgz", "mgh"])
def test_nibabel_reads_back_what_was_written(tmp_path, values, suffix):
    write_mgh(tmp_path / f"T1.{suffix}", values, AFFINE)
    raw = (tmp_path / f"T1.{suffix}").read_bytes()
    image = nib.MGHImage.from_bytes(gzip.decompress(raw) if suffix == "mgz" else raw)
    assert image.get_data_dtype() == np.dtype(">f4")
    np.testing.assert_array_equal(image.get_fdata(), values)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


def test_oblique_and_anisotropic_grids_keep_their_place(tmp_path, values):
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag([1, 2, 3.5]), [1, -2, 3]
    write_mgh(tmp_path / "a.mgz", values, affine)
    np.testing.assert_allclose(nib.load(tmp_path / "a.mgz").affine, affine, atol=1e-5)


def test_equal_volumes_are_equal_files(tmp_path, values):
    for name in ("a.mgz", "b.mgz"):
        write_mgh(tmp_path / name, values, AFFINE)
    assert (tmp_path / "a.mgz").read_bytes() == (tmp_path / "b.mgz").read_bytes()


def test_four_axes(tmp_path, values):
    write_mgh(tmp_path / "a.mgz", np.stack([values, 2 * values], -1), AFFINE)
    np.testing.assert_array_equal(nib.load(tmp_path / "a.mgz").get_fdata()[..., 1], 2 * values)


@pytest.mark.parametrize(
    ("name", "change", "affine", "words"),
    [
        ("a.nii", lambda v: v, AFFINE, "mgz or .mgh"),
        ("a.mgz", lambda v: v[0], AFFINE, "finite voxels"),
        ("a.mgz", lambda v: v * np.nan, AFFINE, "finite voxels"),
        ("a.mgz", lambda v: v[:0], AFFINE, "finite voxels"),
        ("a.mgz", lambda v: v, np.zeros((4, 4)), "invertible"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, values, name, change, affine, words):
    with pytest.raises(ValueError, match=words):
        write_mgh(tmp_path / name, change(values), affine)
    assert not list(tmp_path.iterdir())
