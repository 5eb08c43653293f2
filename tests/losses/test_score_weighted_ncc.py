"""The weighted correlation: its windows, its weights and its mask."""

import numpy as np
import pytest
import torch

from monai_cortex.losses import ScoreWeightedNCCLoss

SHAPE = (12, 11, 10)


def uniform(seed, *shape, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def images(batch=1, seed=0):
    return [uniform(seed + number, batch, 1, *SHAPE) for number in range(2)]


def score(batch=1, seed=7):
    return 4 * uniform(seed, batch, 1, *SHAPE) - 2


def half():
    mask = torch.zeros(1, 1, *SHAPE, dtype=torch.float64)
    mask[..., :6] = 1
    return mask


def test_inside_it_is_the_squared_correlation_of_the_window():
    """Read at one voxel through a score that leaves no other, against numpy."""
    first, second = images()
    place = torch.full_like(first, -1e4)
    place[0, 0, 6, 5, 5] = 1e4
    found = ScoreWeightedNCCLoss()(first, second, place) * first.numel()
    windows = [image[0, 0, 2:11, 1:10, 1:10].flatten().numpy() for image in (first, second)]
    assert found.item() == pytest.approx(-(np.corrcoef(*windows)[0, 1] ** 2), rel=1e-6)


def test_at_the_border_the_window_is_filled_with_zeros():
    first, second = images()
    place = torch.full_like(first, -1e4)
    place[0, 0, 0, 5, 5] = 1e4
    found = ScoreWeightedNCCLoss(3)(first, second, place) * first.numel()
    windows = [np.pad(image[0, 0, :2, 4:7, 4:7].numpy(), ((1, 0), (0, 0), (0, 0))).ravel() for image in (first, second)]
    assert found.item() == pytest.approx(-(np.corrcoef(*windows)[0, 1] ** 2), rel=1e-6)


def test_images_are_alike_and_contrast_does_not_matter():
    first, second = images()
    loss = ScoreWeightedNCCLoss(5)
    torch.testing.assert_close(loss(first, second, score()), loss(second, first, score()))
    place = torch.full_like(first, -1e4)
    place[..., 3:-3, 3:-3, 3:-3] = 0
    torch.testing.assert_close(loss(1 - 0.7 * first, second, place), loss(first, second, place))
    turned = [image.permute(0, 1, 4, 2, 3) for image in (first, second, score())]
    torch.testing.assert_close(loss(*turned), loss(first, second, score()))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_score_of_zero_weighs_one_half_to_the_power_gamma(gamma):
    first, second = images()
    plain = ScoreWeightedNCCLoss()(first, second, None)
    found = ScoreWeightedNCCLoss(gamma=gamma)(first, second, torch.zeros_like(first))
    torch.testing.assert_close(found, 0.5**gamma * plain)


def test_gamma_of_zero_is_the_plain_correlation():
    first, second = images()
    found = ScoreWeightedNCCLoss(gamma=0.0)(first, second, score())
    torch.testing.assert_close(found, ScoreWeightedNCCLoss()(first, second, None))


def test_equal_textures_give_minus_the_mean_weight():
    """As published, and with a mean of 1, wherever the weights are."""
    first, weights = images()[0], score().sigmoid()
    torch.testing.assert_close(ScoreWeightedNCCLoss()(first, first, score()), -weights.mean())
    torch.testing.assert_close(ScoreWeightedNCCLoss()(first, first, None).item(), -1.0)
    for mask in (None, half()):
        found = ScoreWeightedNCCLoss(gamma=2.0, normalize_mean=True)(first, first, score(), mask)
        torch.testing.assert_close(found.item(), -1.0)


def test_mean_of_one_forgets_a_constant_score_but_not_a_shift_of_a_varying_one():
    first, second = images()
    loss = ScoreWeightedNCCLoss(normalize_mean=True)
    constants = [loss(first, second, torch.full_like(first, value)) for value in (-2.0, 3.0)]
    torch.testing.assert_close(*constants)
    assert (loss(first, second, score()) - loss(first, second, score() + 3)).abs() > 1e-4


@pytest.mark.parametrize("detach", [False, True])
def test_registration_pulls_the_score_up_unless_detached(detach):
    first, second = images()
    wanted, moved = score().requires_grad_(), first.requires_grad_()
    ScoreWeightedNCCLoss(detach=detach)(moved, second, wanted).backward()
    assert moved.grad.abs().max() > 0
    assert wanted.grad is None if detach else wanted.grad.max() < 0


@pytest.mark.parametrize("normalize", [False, True])
def test_what_lies_beyond_the_mask_does_not_matter(normalize):
    loss, mask = ScoreWeightedNCCLoss(normalize_mean=normalize), half()
    first, second = images()
    expected = loss(first, second, score(), mask)
    others = [
        torch.where(mask > 0, kept, 3 * other) for kept, other in zip((first, second), images(seed=3), strict=True)
    ]
    found = loss(*others, torch.where(mask > 0, score(), 5 + score(seed=9)), mask)
    torch.testing.assert_close(found, expected)


def test_mask_of_ones_is_no_mask_and_an_empty_one_costs_nothing():
    first, second = images()
    loss = ScoreWeightedNCCLoss()
    torch.testing.assert_close(loss(first, second, score(), torch.ones_like(first)), loss(first, second, score()))
    wanted = score().requires_grad_()
    empty = ScoreWeightedNCCLoss(normalize_mean=True)(first, second, wanted, torch.zeros_like(first))
    empty.backward()
    assert empty == 0
    assert torch.equal(wanted.grad, torch.zeros_like(wanted))
    nowhere = torch.full((1, 1, *SHAPE), -1e4)
    assert ScoreWeightedNCCLoss(normalize_mean=True)(nowhere.sigmoid(), nowhere.sigmoid(), nowhere) == 0


@pytest.mark.parametrize("normalize", [False, True])
def test_batch_is_the_mean_of_its_pairs(normalize):
    """Also where one of them has much less image than the other."""
    first, second, weight = *images(2), score(2)
    mask = torch.cat([half(), torch.ones_like(half())])
    loss = ScoreWeightedNCCLoss(normalize_mean=normalize)
    single = [loss(*(x[b : b + 1] for x in (first, second, weight, mask))) for b in range(2)]
    torch.testing.assert_close(loss(first, second, weight, mask), torch.stack(single).mean())


@pytest.mark.parametrize("levels", [(0.7, 0.3), (0.9, 0.55), (1 / 3, 0.77)])
def test_flat_regions_correlate_with_nothing(levels):
    """Rounding of single precision must not pass for correlation."""
    flat = [torch.full((1, 1, 16, 16, 16), level) for level in levels]
    middle = torch.full_like(flat[0], -1e4)
    middle[..., 5:-5, 5:-5, 5:-5] = 1e4
    assert ScoreWeightedNCCLoss(normalize_mean=True)(*flat, middle).abs() < 0.05
    noisy = [0.5 + 1e-4 * uniform(seed, 1, 1, 16, 16, 16, dtype=torch.float32) for seed in range(2)]
    assert -1 <= ScoreWeightedNCCLoss()(*noisy, None) <= 0


def test_even_windows_are_refused():
    with pytest.raises(ValueError, match="odd, got 4"):
        ScoreWeightedNCCLoss(4)
