"""Measures of a pair whose true motion is a shift by two voxels of 2 mm."""

import numpy as np
import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.handlers import RegisteredPair
from monai_cortex.handlers.registered_pair import correlation, own_affine, plain


def test_true_field_makes_the_labels_equal(shifted_heart):
    pair = RegisteredPair(shifted_heart, shifted_heart["registration"].ddf)
    numbers = pair.after()
    assert torch.equal(pair.warped_label, shifted_heart["fixed_full_label"].as_tensor()[0].float())
    for name in ("lv", "myo", "epi", "rv", "all", "mean5", "mean3"):
        assert numbers[f"dice_{name}"] == 1
    assert numbers["hd95_lv_mm"] == 0
    assert numbers["epe_heart_mean_mm"] == pytest.approx(0, abs=1e-6)
    assert numbers["largest_displacement_mm"] == pytest.approx(4, abs=1e-5)
    for name in ("folding_percent", "folding_valid_percent", "folding_heart_percent", "jacobian_sd_heart"):
        assert numbers[name] == pytest.approx(0, abs=1e-6)
    assert numbers["jacobian_median_myo"] == pytest.approx(1)
    assert numbers["warped_lv_ef_percent"] == pytest.approx(0)


def test_field_on_the_own_grid_is_the_shift(shifted_heart):
    pair = RegisteredPair(shifted_heart, shifted_heart["registration"].ddf)
    expected = torch.tensor([2.0, 0, 0])[:, None, None, None].expand(3, *shifted_heart["fixed_full"].shape[1:])
    torch.testing.assert_close(pair.own_ddf, expected, atol=1e-5, rtol=0)
    inside = pair.warped[:-3] - shifted_heart["fixed_full"].as_tensor()[0, :-3]
    assert inside.abs().max() < 1e-2


def test_without_a_field_nothing_changes(shifted_heart):
    pair = RegisteredPair(shifted_heart, 0 * shifted_heart["registration"].ddf)
    before, after = pair.before(), pair.after()
    assert before["initial_epe_heart_mean_mm"] == pytest.approx(4, abs=1e-5)
    assert before["initial_dice_lv"] < 0.9
    for name in ("ncc", "dice_lv", "hd95_rv_mm", "epe_heart_p95_mm"):
        assert after[name] == before[f"initial_{name}"]


def test_ejection_follows_the_direction(shifted_heart):
    """Half of the left cavity of the fixed image is cut off: it is the systole, unless the direction says otherwise."""
    label = shifted_heart["fixed_full_label"]
    label[label == 3] = torch.where(torch.arange(int((label == 3).sum())) % 2 == 0, 0, 3).to(label.dtype)
    field = shifted_heart["registration"].ddf
    found = {
        name: RegisteredPair({**shifted_heart, "direction": name}, field).before()["lv_ef_percent"]
        for name in ("ed2es", "es2ed", "moving2fixed")
    }
    assert found["ed2es"] == found["moving2fixed"] == pytest.approx(50, abs=1)
    assert found["es2ed"] == pytest.approx(-100, abs=4)


def test_other_anatomy_has_overlap_of_all_its_labels(shifted_heart):
    for name in ("fixed", "moving"):
        shifted_heart[f"{name}_full_label"] = shifted_heart[f"{name}_full_label"] * 17
    field = shifted_heart["registration"].ddf
    pair = RegisteredPair(shifted_heart, field, heart=False)
    assert pair.after()["dice_mean"] == pair.after()["dice_lowest"] == 1
    assert 0 < pair.before()["initial_dice_lowest"] < pair.before()["initial_dice_mean"] < 1
    assert not any("_ef_" in name or "heart" in name for name in pair.before() | pair.after())
    with pytest.raises(ConfigError, match="labels"):
        RegisteredPair(shifted_heart, field).after()


def test_pair_without_labels_or_truth_has_what_the_images_tell(shifted_heart):
    kept = {name: value for name, value in shifted_heart.items() if "label" not in name and "true" not in name}
    pair = RegisteredPair(kept, kept["registration"].ddf)
    assert pair.warped_label is None
    assert set(pair.before()) == {"initial_ncc"}
    assert pair.after()["ncc"] > pair.before()["initial_ncc"]
    assert not any("dice" in name or "epe" in name for name in pair.after())


def test_correlation_is_that_of_numpy():
    first, second = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert correlation(first, 3 - 2 * first) == pytest.approx(-1)
    assert np.isnan(correlation(first, torch.ones(50)))


def test_plain_tensors_have_no_metadata(shifted_heart):
    assert type(plain(shifted_heart["fixed_full"])) is torch.Tensor
    assert own_affine(shifted_heart).dtype == np.float64
