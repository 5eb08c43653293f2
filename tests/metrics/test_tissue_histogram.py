"""Distances of distributions that are known."""

import pytest
import torch

from monai_cortex.errors import ConfigError
from monai_cortex.metrics import tissue_histogram

IMAGE = torch.rand(8, 9, 10, generator=torch.Generator().manual_seed(0)).double()
TISSUES = torch.stack([IMAGE > 0.6, IMAGE <= 0.6])


def test_a_shift_is_its_own_distance_in_each_tissue():
    shifted = torch.where(TISSUES[0], IMAGE + 0.25, IMAGE - 0.1)
    found = tissue_histogram(shifted, IMAGE, TISSUES)
    assert found.distance.tolist() == pytest.approx([0.25, 0.1])
    assert found.shift.tolist() == pytest.approx([0.25, -0.1])


def test_a_spread_is_seen_without_a_shift():
    """Uniform distributions of widths 1 and 2 about one center: the mean of |u / 2| over u in [-1, 1] is 1/4."""
    grid = torch.linspace(-0.5, 0.5, 1000).double().reshape(10, 10, 10)
    found = tissue_histogram(2 * grid, grid, torch.ones(1, 10, 10, 10))
    assert found.distance.item() == pytest.approx(0.25, abs=1e-3)
    assert found.shift.item() == pytest.approx(0, abs=2e-3)


def test_an_image_is_like_itself_wherever_its_voxels_lie():
    places = torch.randperm(IMAGE.numel(), generator=torch.Generator().manual_seed(1))
    mixed = IMAGE.flatten()[places].reshape(9, 8, 10)
    others = TISSUES.flatten(1)[:, places].reshape(2, 9, 8, 10)
    found = tissue_histogram(IMAGE, mixed, TISSUES, others)
    assert found.distance.tolist() == [0, 0]
    assert found.shift.tolist() == [0, 0]


def test_order_changes_the_sign_of_the_shift_alone():
    other = IMAGE.square()
    one, two = tissue_histogram(IMAGE, other, TISSUES), tissue_histogram(other, IMAGE, TISSUES)
    torch.testing.assert_close(one.distance, two.distance)
    torch.testing.assert_close(one.shift, -two.shift)


def test_missing_tissue_is_not_a_number():
    found = tissue_histogram(IMAGE, IMAGE, torch.stack([TISSUES[0], TISSUES[0] & ~TISSUES[0]]))
    assert found.distance.isnan().tolist() == [False, True]
    assert found.shift.isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    ("tissues", "others"),
    [(TISSUES[:, 1:], None), (TISSUES, TISSUES[:, 1:]), (TISSUES, TISSUES[:1]), (TISSUES[0], None)],
)
def test_masks_that_do_not_fit_are_refused(tissues, others):
    with pytest.raises(ConfigError, match="do not fit"):
        tissue_histogram(IMAGE, IMAGE, tissues, others)
