from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor

AFFINE = torch.diag(torch.tensor([1.5, 1.5, 3.0, 1.0], dtype=torch.float64))
SHAPE = (24, 24, 12)


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/cardiac_pairs")


@pytest.fixture
def item():
    """Labels that moved by two voxels along i."""
    labels = torch.zeros(1, *SHAPE)
    labels[:, 6:14, 6:18, 3:9], labels[:, 8:12, 8:16, 3:9], labels[:, 6:14, 2:6, 3:9] = 2, 3, 1
    images = {f"{name}_image": MetaTensor(torch.zeros(1, *SHAPE), affine=AFFINE) for name in ("fixed", "moving")}
    truth = torch.zeros(3, *SHAPE)
    truth[0] = 2
    pair = {"fixed_label": labels, "moving_label": labels.roll(2, 1)}
    return {**images, **pair, "valid": torch.ones(1, *SHAPE), "true_displacement": truth, "direction": "ed2es"}


def test_truth_scores_best(tool, item):
    found = tool.scores(item, item["true_displacement"])
    assert [found[name] for name in ("dice_lv", "dice_myo", "dice_rv", "mean5", "mean3")] == [1] * 5
    assert (found["hd95_mm"], found["epe_mm"], found["lv_ejection_error"]) == (0, 0, 0)
    assert (found["grid_percent"], found["grid_deviation"]) == (0, 0)
    assert found["inverse_voxels"] < 1e-3


def test_errors_are_in_mm_and_the_plane_is_that_of_the_slices(tool, item):
    still = tool.scores(item, torch.zeros(3, *SHAPE))
    assert still["epe_mm"] == pytest.approx(3)  # two voxels of 1.5 mm
    assert still["mean5"] < 0.9
    along = item["true_displacement"].clone()
    along[2] = 0.5
    found = tool.scores(item, along)
    assert found["epe_mm"] == pytest.approx(1.5)  # half a voxel of 3 mm
    assert found["epe_in_plane_mm"] == pytest.approx(0)


def test_folds_are_counted(tool, item):
    folded = item["true_displacement"].clone()
    folded[0, 12] -= 5
    assert tool.scores(item, folded)["valid_percent"] > 1


def test_ejection_is_that_of_the_warped_labels(tool, item):
    """All labels move out of the cavity: the warped one ejects everything."""
    away = torch.full((3, *SHAPE), 100.0)
    found = tool.scores(item, away)
    assert found["lv_ejection_error"] == pytest.approx(100)
    assert tool.scores({**item, "direction": "es2ed"}, item["true_displacement"])["lv_ejection_error"] == 0


def test_real_pair_is_linked_both_ways(tool, tmp_path, monkeypatch):
    source = tmp_path / "data" / "acdc_pair1"
    source.mkdir(parents=True)
    for phase in ("ed", "es"):
        for end in (".nii.gz", "_seg.nii.gz"):
            (source / f"{phase}{end}").write_text(phase)
    monkeypatch.setenv("MONAI_CORTEX_DEV_DATA", str(tmp_path / "data"))
    for direction, moving in (("ed2es", "ed"), ("es2ed", "es")):
        found = tool.real_pair(tmp_path / "out", direction)
        assert found["direction"] == direction
        assert {Path(found[name]).read_text() for name in ("moving", "moving_seg")} == {moving}
        assert Path(found["fixed"]).read_text() != moving
    monkeypatch.delenv("MONAI_CORTEX_DEV_DATA")
    assert tool.real_pair(tmp_path, "ed2es") is None
