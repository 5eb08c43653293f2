"""Synthetic hearts as files."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import read_displacement, sha256
from monai_cortex.geometry.displacement import compose, jacobian_determinant
from monai_cortex.simulate.synthetic_heart import CARDIAC_SAMPLES, write_synthetic_heart, write_synthetic_hearts

NAMES = ("fixed", "moving", "fixed_seg", "moving_seg", "true_warp", "true_inverse_warp")
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hearts")
    write_synthetic_hearts(folder, len(SEEDS), SEEDS[0])
    return folder


def voxels(folder, name):
    return np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj)


def dice(first, second, value):
    return 2 * ((first == value) & (second == value)).sum() / ((first == value).sum() + (second == value).sum())


@pytest.fixture(params=SEEDS)
def heart(dataset, request):
    return dataset / f"heart-{request.param:04d}"


def test_files_lie_on_one_grid(heart):
    files = {path.name for path in heart.iterdir()}
    assert files == {f"{name}.nii.gz" for name in NAMES} | {"SIMULATION.json"}
    images = [nib.load(heart / f"{name}.nii.gz") for name in NAMES]
    for image in images:
        assert image.shape[:3] == images[0].shape
        np.testing.assert_array_equal(image.affine, images[0].affine)
    assert set(np.unique(voxels(heart, "fixed_seg"))) == {0, 1, 2, 3}
    assert voxels(heart, "moving_seg").dtype == np.uint8


def test_pairs_are_as_hard_as_real_ones(heart):
    fixed, moving = voxels(heart, "fixed_seg"), voxels(heart, "moving_seg")
    assert 0.4 < dice(fixed, moving, 1) < 0.9
    assert 0.3 < dice(fixed, moving, 2) < 0.8
    assert 0.35 < dice(fixed, moving, 3) < 0.95


def test_labels_show_the_requested_ejection_fraction(heart):
    fixed, moving = (int((voxels(heart, name) == 3).sum()) for name in ("fixed_seg", "moving_seg"))
    record = json.loads((heart / "SIMULATION.json").read_text())
    assert record["synthetic"] is True
    if not record["lost_base"]["left"]:
        assert 1 - fixed / moving == pytest.approx(record["ejection_fraction"], abs=0.05)


def test_fields_carry_the_labels_and_do_not_fold(heart):
    field = read_displacement(heart / "true_warp.nii.gz")
    assert jacobian_determinant(field.ddf[None]).min() > 0
    fixed, moving = (torch.from_numpy(voxels(heart, name)) for name in ("fixed_seg", "moving_seg"))
    index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in fixed.shape), indexing="ij"))
    place = (index + field.ddf).round().long()
    inside = ((place >= 0) & (place < torch.tensor(fixed.shape)[:, None, None, None])).all(0) & (fixed == 3)
    carried = moving[tuple(place[:, inside])]
    assert (carried == 3).float().mean() > 0.7


def test_fields_are_each_others_inverse(heart):
    """As far as fields between the voxels of thick, shifted slices can be; the exact inverse is tested elsewhere."""
    forward, inverse = (read_displacement(heart / f"true_{name}.nii.gz").ddf for name in ("warp", "inverse_warp"))
    rest = compose(forward[None], inverse[None])[0]
    heart_there = torch.from_numpy(voxels(heart, "moving_seg")) > 0
    left, before = (field[:2].norm(dim=0)[heart_there].median() for field in (rest, inverse))
    assert left < 1
    assert left < 0.5 * before


def test_equal_seeds_give_equal_bytes(dataset, tmp_path):
    write_synthetic_heart(tmp_path / "again", 1)
    for path in (dataset / "heart-0001").iterdir():
        assert sha256(tmp_path / "again" / path.name) == sha256(path)


def test_sample_has_its_record(tmp_path):
    (write,) = CARDIAC_SAMPLES.values()
    write(tmp_path)
    record = json.loads((tmp_path / "SOURCE.json").read_text())
    assert record["sha256"]["fixed.nii.gz"] == sha256(tmp_path / "fixed.nii.gz")
    assert "not of a person" in record["content"]
