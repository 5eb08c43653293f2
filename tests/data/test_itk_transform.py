"""Fields in files, applied by programs of others: the same image as by our own warp."""

import json

import itk
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat

from monai_cortex.data import write_displacement, write_transform, write_volume
from monai_cortex.errors import GeometryError
from monai_cortex.geometry.displacement import voxel_grid, warp

SHAPE = (14, 12, 10)
TURN = euler2mat(0.3, -0.2, 0.4)
GRIDS = {
    "RAS": from_matvec(np.diag([1.5, 1.5, 3.15]), [-10, 5, 2]),
    "LPS": from_matvec(np.diag([-1.5, -1.2, 3.15]), [10, 25, -7]),
    "oblique": from_matvec(TURN @ np.diag([1.5, 1.2, 3.15]), [3, -8, 11]),
    "oblique LAS": from_matvec(TURN @ np.diag([-1.5, 1.2, 6.3]), [3, -8, 11]),
    "permuted": from_matvec((TURN @ np.diag([1.5, 1.2, 3.15]))[:, [2, 0, 1]], [3, -8, 11]),
}


@pytest.fixture(params=GRIDS)
def case(request, tmp_path):
    """Folder with image.nii.gz, warp.nii.gz and transform.h5; our warped image, and where the field stays inside."""
    chance, affine = torch.Generator().manual_seed(0), GRIDS[request.param]
    image = torch.randn(SHAPE, generator=chance)
    ddf = 1.5 * torch.randn(3, *SHAPE, generator=chance)
    write_volume(tmp_path / "image.nii.gz", image, affine)
    write_displacement(tmp_path / "warp.nii.gz", ddf, affine)
    write_transform(tmp_path / "transform.h5", ddf, affine)
    # Programs differ only in what they see outside the moving image.
    places = (voxel_grid(SHAPE, ddf) + ddf).movedim(0, -1)
    inside = ((places > 0.01) & (places < torch.tensor(SHAPE) - 1.01)).all(-1).numpy()
    assert inside.mean() > 0.4
    return tmp_path, warp(image[None, None], ddf[None])[0, 0].numpy(), inside


def resampled(folder, transform):
    image = SimpleITK.ReadImage(str(folder / "image.nii.gz"), SimpleITK.sitkFloat64)
    found = SimpleITK.Resample(image, image, transform, SimpleITK.sitkLinear)
    return SimpleITK.GetArrayFromImage(found).transpose(2, 1, 0)


def test_simpleitk_warps_by_the_transform(case):
    folder, expected, inside = case
    found = resampled(folder, SimpleITK.ReadTransform(str(folder / "transform.h5")))
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0, atol=1e-4)


def test_simpleitk_warps_by_the_image_of_vectors(case):
    folder, expected, inside = case
    vectors = SimpleITK.ReadImage(str(folder / "warp.nii.gz"), SimpleITK.sitkVectorFloat64)
    found = resampled(folder, SimpleITK.DisplacementFieldTransform(vectors))
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0, atol=1e-4)


def test_itk_warps_by_the_transform(case):
    folder, expected, inside = case
    (transform,) = itk.transformread(str(folder / "transform.h5"))
    image = itk.imread(str(folder / "image.nii.gz"), itk.F)
    found = itk.resample_image_filter(
        image, transform=transform, use_reference_image=True, reference_image=image, size=SHAPE
    )
    np.testing.assert_allclose(itk.array_from_image(found).transpose(2, 1, 0)[inside], expected[inside], atol=1e-4)


def test_nitransforms_warps_by_the_image_of_vectors(case):
    from nitransforms.nonlinear import DenseFieldTransform
    from nitransforms.resampling import apply

    folder, expected, inside = case
    field = DenseFieldTransform.from_filename(str(folder / "warp.nii.gz"), fmt="itk")
    image = nib.load(folder / "image.nii.gz")
    found = np.asarray(apply(field, image, reference=image, order=1, prefilter=False).dataobj)
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0, atol=1e-4)


def test_sheared_grids_keep_their_field(tmp_path):
    affine = GRIDS["oblique"] @ np.array([[1.0, 0.2, 0, 0], [0, 1, 0.1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    ddf = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    write_transform(tmp_path / "a.h5", ddf, affine)
    transform = SimpleITK.ReadTransform(str(tmp_path / "a.h5"))
    flip = np.array([-1, -1, 1])
    for voxel in ((0, 0, 0), (13, 11, 9), (4, 7, 2)):
        here, there = (
            affine[:3, :3] @ at + affine[:3, 3] for at in (voxel, voxel + ddf[(slice(None), *voxel)].numpy())
        )
        np.testing.assert_allclose(transform.TransformPoint(flip * here), flip * there, atol=1e-4)


def test_equal_fields_are_equal_bytes_with_a_record(tmp_path):
    ddf = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(2))
    for name in ("a.h5", "b.h5"):
        write_transform(tmp_path / name, ddf, GRIDS["RAS"], {"sources": ["fixed.nii.gz"]})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["units"], record["axes"], record["sources"]) == ("mm", "LPS", ["fixed.nii.gz"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.json", "b.h5", "b.json"]


def test_what_cannot_be_written_leaves_no_file(tmp_path):
    ddf = torch.zeros(3, *SHAPE)
    with pytest.raises(ValueError, match="change the name"):
        write_transform(tmp_path / "a.tfm", ddf, GRIDS["RAS"])
    with pytest.raises(ValueError, match="finite"):
        write_transform(tmp_path / "a.h5", ddf / 0, GRIDS["RAS"])
    with pytest.raises(GeometryError, match="does not place"):
        write_transform(tmp_path / "a.h5", ddf, np.zeros((4, 4)))
    assert not list(tmp_path.iterdir())
