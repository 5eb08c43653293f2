from pathlib import Path

import numpy as np
import pytest
import torch

from monai_cortex.data import GradientTable, write_fsl_gradients, write_volume
from monai_cortex.errors import CortexError
from monai_cortex.testing import assert_pair_agrees
from monai_cortex.transforms import LoadDiffusion, LoadDiffusionD, LoadDiffusiond, LoadDiffusionDict

AFFINE = np.array([[0.0, 2.0, 0.0, 5.0], [-2.0, 0.0, 0.0, 7.0], [0.0, 0.0, 2.5, -3.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture
def case(make_scan, tmp_path):
    """A subject of random numbers on disk: what was written, and the item that names the files."""
    scan = make_scan(995.0, nside=1)
    signal = np.random.default_rng(0).uniform(10, 500, (4, 3, 2, len(scan.shell))).astype(np.float32)
    mask = np.ones((4, 3, 2))
    mask[3] = 0
    write_volume(tmp_path / "dwi.nii.gz", signal, AFFINE)
    write_volume(tmp_path / "mask.nii.gz", mask, AFFINE, dtype=np.uint8)
    table = GradientTable(scan.bvalues.numpy(), scan.directions.numpy())
    write_fsl_gradients(tmp_path / "dwi.bval", tmp_path / "dwi.bvec", table, AFFINE)
    names = {"dwi": "dwi.nii.gz", "bval": "dwi.bval", "bvec": "dwi.bvec", "mask": "mask.nii.gz"}
    return scan, signal, mask, {"subject": "s1"} | {key: str(tmp_path / name) for key, name in names.items()}


def test_scan_comes_back_as_it_was_written(case):
    scan, signal, mask, item = case
    result = LoadDiffusiond()(item)
    assert isinstance(result["dwi"], torch.Tensor)
    torch.testing.assert_close(result["dwi"], torch.from_numpy(signal).movedim(-1, 0))
    torch.testing.assert_close(result["mask"], torch.from_numpy(mask)[None].float())
    torch.testing.assert_close(result["affine"], torch.from_numpy(AFFINE))
    torch.testing.assert_close(result["bvalues"], scan.bvalues)
    torch.testing.assert_close(result["directions"], scan.directions, atol=1e-9, rtol=0)
    torch.testing.assert_close(result["shells"], scan.shells)
    torch.testing.assert_close(result["shell"], scan.shell)
    torch.testing.assert_close(result["b0"], torch.from_numpy(signal[None, ..., :2].mean(-1)))
    assert result["sources"] == {key: f"s1/{Path(item[key]).name}" for key in ("dwi", "bval", "bvec", "mask")}
    assert result["subject"] == "s1"


def test_pair_agrees(case):
    item = {key: path for key, path in case[3].items() if key != "mask"}
    scan, result = LoadDiffusion()(item), LoadDiffusiond()(item)
    assert_pair_agrees(lambda _: torch.as_tensor(scan.signal), LoadDiffusiond(), item, "dwi")
    torch.testing.assert_close(result["mask"][0] > 0, torch.as_tensor(scan.mask))
    assert result["mask"].all()
    assert LoadDiffusionD is LoadDiffusionDict is LoadDiffusiond


def test_voxels_that_are_not_finite_are_refused_or_left_out(case, tmp_path):
    _, signal, _, item = case
    signal[1, 2, 0, 3] = np.nan
    write_volume(tmp_path / "dwi.nii.gz", signal, AFFINE)
    with pytest.raises(CortexError, match=r"dwi\.nii\.gz"):
        LoadDiffusiond()(item)
    result = LoadDiffusiond(nonfinite="mask")(item)
    assert result["mask"][0, 1, 2, 0] == 0
    assert result["mask"].sum() == 17
    assert torch.isfinite(result["dwi"]).all()
