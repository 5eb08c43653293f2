"""From files to the registration grid, on simulated hearts whose motion is known."""

import time

import pytest
import torch

from monai_cortex.data import cardiac_subjects
from monai_cortex.geometry.displacement import warp
from monai_cortex.transforms import cardiac_preprocessing

ON_GRID = ("fixed_image", "moving_image", "fixed_label", "moving_label", "valid")


@pytest.fixture(scope="module")
def item(synthetic_hearts):
    return cardiac_preprocessing()(cardiac_subjects(synthetic_hearts)[0])


def dice(one, other, label):
    one, other = one == label, other == label
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_items_hold_what_was_agreed(item):
    assert (item["subject"], item["direction"]) == ("heart-0000", "moving2fixed")
    assert "heart-0000/fixed.nii.gz" in item["sources"]
    depth = item["valid"].shape[-1]
    assert depth % 8 == 0
    for key in ON_GRID:
        assert item[key].shape == (1, 128, 128, depth)
        assert item[key].dtype == torch.float32
        assert torch.equal(item[key].affine, item["valid"].affine)
    for key in ("fixed_image", "moving_image"):
        assert (item[key].min(), item[key].max()) == (-1, 1)
        assert (item[key][item["valid"] == 0] == -1).all()
    for key in ("true_displacement", "true_inverse"):
        assert item[key].shape == (3, 128, 128, depth)
    assert item["valid"].unique().tolist() in ([0, 1], [1])
    assert set(item["fixed_label"].unique().tolist()) == {0, 1, 2, 3}


def test_own_grid_stays_as_read(item):
    assert item["fixed_full"].shape == item["moving_full_label"].shape
    assert item["fixed_full"].max() > 10
    edges = torch.as_tensor(item["fixed_image"].affine)[:3, :3].norm(dim=0)
    torch.testing.assert_close(edges, torch.tensor([1.5, 1.5, 3.15], dtype=torch.float64))


@pytest.mark.parametrize(
    ("field", "source", "target"),
    [("true_displacement", "moving_label", "fixed_label"), ("true_inverse", "fixed_label", "moving_label")],
)
def test_true_motion_brings_the_labels_together(item, field, source, target):
    warped = warp(item[source].as_tensor()[None], item[field].as_tensor()[None], "nearest")[0]
    before, after = ([dice(one, item[target], label) for label in (1, 2, 3)] for one in (item[source], warped))
    # Labels of thick slices, by nearest voxel, are what keeps them from 1.
    assert min(last - first for first, last in zip(before, after, strict=True)) > 0.02
    assert sum(after) > sum(before) + 0.3
    assert min(after) > 0.7


def test_other_anatomy_stays_on_its_own_grid(synthetic_hearts):
    (item,) = cardiac_subjects(synthetic_hearts, labels=None)
    result = cardiac_preprocessing(None, None, 16, "minmax")(item)
    shape = result["fixed_full"].shape[1:]
    assert result["fixed_image"].shape[1:] == tuple(-(-size // 16) * 16 for size in shape)
    assert result["valid"].sum() == result["fixed_full"].numel()


def test_depth_of_the_source(synthetic_hearts):
    result = cardiac_preprocessing(roi=(96, 96, 32), depth_multiple=32)(cardiac_subjects(synthetic_hearts)[0])
    assert result["valid"].shape == (1, 96, 96, 32)


def test_takes_no_time(synthetic_hearts):
    (subject,) = cardiac_subjects(synthetic_hearts)
    start = time.process_time()
    cardiac_preprocessing()({key: value for key, value in subject.items() if "true" not in key})
    assert time.process_time() - start < 1


def test_options_that_cannot_be():
    with pytest.raises(ValueError, match="minmax"):
        cardiac_preprocessing(intensity="max")
    with pytest.raises(ValueError, match="above 0"):
        cardiac_preprocessing(roi=(0, 128))
