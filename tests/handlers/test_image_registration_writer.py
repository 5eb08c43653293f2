"""Files of a registered pair: all of them on the grid of the fixed image."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import read_displacement
from monai_cortex.handlers import ImageRegistrationWriter

VOLUMES = ("warped", "warped_seg", "warp", "inverse_warp", "jacobian", "score")


@pytest.fixture
def written(shifted_heart, tmp_path):
    return tmp_path, ImageRegistrationWriter("unused").write(shifted_heart, tmp_path)


def test_files_are_those_of_the_bundle_and_on_the_own_grid(written, shifted_heart):
    folder, _ = written
    names = {f"{name}{suffix}" for name in VOLUMES for suffix in (".nii.gz", ".json")}
    assert {path.name for path in folder.iterdir()} == names | {"transform.h5", "transform.json", "qc.png"}
    for name in VOLUMES:
        image = nib.load(folder / f"{name}.nii.gz")
        assert image.shape[:3] == shifted_heart["fixed_full"].shape[1:]
        np.testing.assert_allclose(image.affine, shifted_heart["fixed_full"].affine, atol=1e-4)
    assert (folder / "qc.png").read_bytes().startswith(b"\x89PNG")


def test_fields_are_the_shift_and_its_inverse(written):
    folder, _ = written
    for name, voxels in (("warp", 2.0), ("inverse_warp", -2.0)):
        ddf = read_displacement(folder / f"{name}.nii.gz").ddf
        expected = torch.tensor([voxels, 0, 0])[:, None, None, None].expand_as(ddf)
        torch.testing.assert_close(ddf, expected, atol=1e-4, rtol=0)
    np.testing.assert_allclose(nib.load(folder / "jacobian.nii.gz").get_fdata(), 1, atol=1e-5)


def test_labels_are_warped_by_nearest_voxel(written, shifted_heart):
    values = np.asarray(nib.load(written[0] / "warped_seg.nii.gz").dataobj)
    assert values.dtype == np.int16
    np.testing.assert_array_equal(values, shifted_heart["fixed_full_label"][0])


def test_network_is_measured_on_its_own(written):
    """The network's field is zero here: its numbers are those without a registration."""
    metrics = written[1]
    assert metrics["dice_mean5"] == 1
    assert metrics["network_dice_mean5"] == metrics["initial_dice_mean5"] < 1
    assert metrics["network_epe_heart_mean_mm"] == pytest.approx(4, abs=1e-5)
    assert metrics["inverse_consistency_p95_voxels"] == pytest.approx(0, abs=1e-6)
    assert (metrics["network_s"], metrics["refine_s"]) == (1.5, pytest.approx(2.71828, abs=1e-4))
    assert abs(metrics["score_difference_correlation"]) < 0.2


def test_sidecars_say_what_the_files_are(written):
    for name in (*VOLUMES, "transform"):
        sidecar = json.loads((written[0] / f"{name}.json").read_text())
        assert sidecar["registered_by"] == ["network", "refinement"]
        assert sidecar["sources"] == ["sub-1/fixed.nii.gz", "sub-1/moving.nii.gz"]
        assert {"units", "convention", "sha256", "direction"} <= sidecar.keys()


def test_bare_pair_of_another_organ(shifted_heart, tmp_path):
    item = {name: value for name, value in shifted_heart.items() if "label" not in name and "true" not in name}
    item["registration"] = item["registration"]._replace(score=None, network_ddf=None, network_s=0.0)
    metrics = ImageRegistrationWriter("unused", labels=None).write(item, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not {"score.nii.gz", "warped_seg.nii.gz"} & names
    assert not any(name.startswith("network_") and name != "network_s" for name in metrics)
    assert json.loads((tmp_path / "warp.json").read_text())["registered_by"] == ["refinement"]
