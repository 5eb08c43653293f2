"""Correlation of images that a field aligns: known values, masks and means over pairs."""

import numpy as np
import pytest
import torch

from monai_cortex.metrics import WarpedAgreement, image_correlation

SHAPE = (9, 8, 7)


def image(seed, batch=1):
    return torch.rand(batch, 1, *SHAPE, generator=torch.Generator().manual_seed(seed))


def mask(batch=1):
    inside = torch.ones(batch, 1, *SHAPE)
    inside[..., 5:] = 0
    return inside


def still(batch=1):
    return torch.zeros(batch, 3, *SHAPE)


def target(moving, fixed, valid=None):
    return {"moving": moving, "fixed": fixed, "valid": torch.ones_like(fixed) if valid is None else valid}


def test_correlation_is_that_of_numpy_inside_the_mask():
    first, second = image(1, 2), image(2, 2)
    found = image_correlation(first, second, mask(2))
    for index in range(2):
        lists = [picture[index, 0, ..., :5].flatten().double().numpy() for picture in (first, second)]
        assert found[index].item() == pytest.approx(np.corrcoef(*lists)[0, 1], abs=1e-9)


@pytest.mark.parametrize(("factor", "expected"), [(3.0, 1.0), (-0.5, -1.0)])
def test_contrast_and_brightness_do_not_matter_but_their_sign(factor, expected):
    first = image(1)
    assert image_correlation(first, factor * first + 7, mask()).item() == pytest.approx(expected, abs=1e-6)


def test_exchanged_images_correlate_the_same():
    first, second = image(1), image(2)
    torch.testing.assert_close(image_correlation(first, second, mask()), image_correlation(second, first, mask()))


def test_what_is_not_image_does_not_matter():
    first, second, other = image(1), image(2), image(3)
    changed = torch.where(mask() > 0, second, 100 * other)
    torch.testing.assert_close(image_correlation(first, changed, mask()), image_correlation(first, second, mask()))


def test_constant_images_and_empty_masks_do_not_correlate():
    assert image_correlation(torch.ones(1, 1, *SHAPE), image(1), mask()).tolist() == [0]
    assert image_correlation(image(1), image(2), torch.zeros(1, 1, *SHAPE)).tolist() == [0]


def test_fields_are_read_from_fixed_to_moving():
    """Two voxels up the first axis lies what the fixed image shows."""
    moving = image(1)
    metric, field = WarpedAgreement(), still()
    field[:, 0] = 2
    fixed = moving.roll(-2, 2)
    valid = torch.ones_like(fixed)
    valid[:, :, -2:] = 0
    metric({"ddf": field}, target(moving, fixed, valid))
    assert metric.aggregate().item() == pytest.approx(1, abs=1e-5)
    metric.reset()
    metric({"ddf": -field}, target(moving, fixed, valid))
    assert metric.aggregate() < 0.5


def test_mean_goes_over_pairs_not_batches():
    moving, metric = image(1, 3), WarpedAgreement()
    metric({"ddf": still(2)}, target(moving[:2], moving[:2]))
    metric({"ddf": still()}, target(moving[2:], -moving[2:]))
    assert metric.aggregate().item() == pytest.approx((1 + 1 - 1) / 3, abs=1e-6)


def test_a_field_without_its_dictionary_is_refused():
    with pytest.raises(ValueError, match="need the dictionary"):
        WarpedAgreement()(still(), target(image(1), image(2)))
