"""Tissues told by the nearest mean, in images where they are known."""

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.metrics import nearest_tissue, tissue_overlap

MEANS = (0.15, 0.6, 1.0)
TRUTH = torch.arange(4 * 5 * 6).reshape(4, 5, 6) % 3
IMAGE = torch.tensor(MEANS)[TRUTH]


def test_nearest_mean_has_its_border_halfway():
    values = torch.tensor([-5.0, 0.37, 0.38, 0.79, 0.81, 7.0]).reshape(6, 1, 1)
    assert nearest_tissue(values, MEANS).flatten().tolist() == [0, 0, 1, 1, 2, 2]


def test_overlap_of_a_known_share():
    """Half of the gray matter is drawn as white matter."""
    image, gray = IMAGE.flatten().clone(), (TRUTH.flatten() == 1).nonzero()[:, 0]
    image[gray[::2]] = 1.0
    found = tissue_overlap(image.view_as(IMAGE), TRUTH, MEANS)
    # 40 voxels each: 2 * 20 / (20 + 40), and 2 * 40 / (60 + 40).
    assert found.dice.tolist() == pytest.approx([1, 40 / 60, 80 / 100])
    assert found.mean.item() == pytest.approx((1 + 40 / 60 + 0.8) / 3)
    assert found.labels.shape == TRUTH.shape


def test_true_image_overlaps_wholly_and_units_do_not_matter():
    assert tissue_overlap(IMAGE, TRUTH, MEANS).mean == 1
    noisy = IMAGE + 0.3 * torch.rand(IMAGE.shape, generator=torch.Generator().manual_seed(0))
    found = tissue_overlap(noisy, TRUTH, MEANS)
    scaled = tissue_overlap(50 - 9 * noisy, TRUTH, [50 - 9 * mean for mean in MEANS])
    assert found.mean < 1
    torch.testing.assert_close(scaled.dice, found.dice)


def test_voxels_outside_the_mask_do_not_count_and_missing_tissues_are_not_numbers():
    mask = TRUTH > 0
    spoiled = torch.where(mask, IMAGE, 1.0)
    found = tissue_overlap(spoiled, TRUTH, MEANS, mask)
    assert found.dice[0].isnan()
    assert found.dice[1:].tolist() == [1, 1]
    assert found.mean == 1


def test_what_does_not_fit_is_refused():
    for means in ((0.5,), (0.1, float("nan"))):
        with pytest.raises(ConfigError, match="told apart"):
            nearest_tissue(IMAGE, means)
    for truth, mask in ((TRUTH[1:], None), (TRUTH, TRUTH[1:])):
        with pytest.raises(ConfigError, match="one grid"):
            tissue_overlap(IMAGE, truth, MEANS, mask)
    with pytest.raises(ConfigError, match="without a mean"):
        tissue_overlap(IMAGE, TRUTH, MEANS[:2])
