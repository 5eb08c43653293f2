"""Distance from a known displacement and overlap of labels: known values, masks and what counts how much."""

import math

import pytest
import torch

from monai_cortex.losses.known_motion import displacement_distance, warped_overlap_loss

SHAPE = (14, 12, 10)


def field(*vector, batch=1):
    return torch.tensor(vector, dtype=torch.float64).view(1, 3, 1, 1, 1).expand(batch, 3, *SHAPE).clone()


def everywhere(value=1.0, batch=1):
    return torch.full((batch, 1, *SHAPE), value, dtype=torch.float64)


def block(label, begin, size=3, batch=1):
    image = everywhere(0.0, batch)
    image[:, :, begin : begin + size, 4 : 4 + size, 4 : 4 + size] = label
    return image


@pytest.mark.parametrize("label", [everywhere(0.0), everywhere(2.0)], ids=["background", "labeled"])
def test_distance_of_equal_errors_is_their_length_wherever_they_are(label):
    """(3, 4, 0) voxels are 5, less the tenth below which errors count by their square."""
    found = displacement_distance(field(3, 4, 0), field(0, 0, 0), label, everywhere())
    assert found.item() == pytest.approx(math.sqrt(25.01) - 0.1)


def test_the_truth_has_no_distance_and_a_gradient_that_is_finite():
    ddf = field(1.0, -2, 0.5).requires_grad_()
    found = displacement_distance(ddf, field(1.0, -2, 0.5), everywhere(), everywhere())
    assert found.item() == pytest.approx(0, abs=1e-12)
    found.backward()
    assert torch.equal(ddf.grad, torch.zeros_like(ddf))


def test_distance_is_symmetric():
    one, two = field(1, 2, 3), field(0, -1, 0.5)
    both = [displacement_distance(*pair, block(1, 5), everywhere()) for pair in ((one, two), (two, one))]
    torch.testing.assert_close(*both)


def one_voxel(place):
    """Cost of an error at one voxel beside a label that fills a single voxel."""
    ddf, label = field(0, 0, 0), everywhere(0.0)
    ddf[0, 0, place, 5, 5], label[..., 2, 5, 5] = 1, 3
    return displacement_distance(ddf, field(0, 0, 0), label, everywhere())


def test_errors_up_to_three_voxels_from_a_label_count_five_times():
    near, last, beyond, far = (one_voxel(place) for place in (2, 5, 6, 13))
    torch.testing.assert_close(near, last)
    torch.testing.assert_close(near, 5 * beyond)
    torch.testing.assert_close(beyond, far)


def test_what_is_not_image_does_not_count():
    valid = everywhere()
    valid[:, :, 8:] = 0
    ddf = field(1, 0, 0)
    ddf[:, :, 8:] = 90
    found = displacement_distance(ddf, field(0, 0, 0), block(1, 3), valid)
    assert found.item() == pytest.approx(math.sqrt(1.01) - 0.1)
    assert displacement_distance(ddf, field(0, 0, 0), block(1, 3), everywhere(0.0)) == 0


def test_labels_that_meet_cost_nothing():
    """Two voxels on lies what the fixed image has."""
    moving, fixed = block(1, 7), block(1, 5)
    assert warped_overlap_loss(field(2, 0, 0), moving, fixed, (1,)).item() == pytest.approx(0, abs=1e-9)
    assert warped_overlap_loss(field(-2, 0, 0), moving, fixed, (1,)) > 0.9


@pytest.mark.parametrize(("shift", "shared"), [(1, 18), (2, 9), (3, 0), (0.5, 22.5)])
def test_overlap_of_shifted_blocks_is_known(shift, shared):
    """Blocks of 27 voxels: one minus (2 s + 1) / (27 + 27 + 1); halves of voxels count half."""
    found = warped_overlap_loss(field(shift, 0, 0), block(1, 5), block(1, 5), (1,))
    assert found.item() == pytest.approx(1 - (2 * shared + 1) / 55)


def test_exchanged_labels_cost_the_same():
    pair = block(2, 4), block(2, 5)
    both = [warped_overlap_loss(field(0, 0, 0), *images, (2,)) for images in (pair, pair[::-1])]
    torch.testing.assert_close(*both)
    assert both[0] > 0.1


def test_mean_goes_over_labels_and_pairs_and_absent_labels_count_as_met():
    moving = torch.cat([block(1, 5), block(3, 2)])
    fixed = torch.cat([block(1, 8), block(3, 2)])
    found = warped_overlap_loss(field(0, 0, 0, batch=2), moving, fixed)
    # Of six pairs of labels one has no overlap, one is met, and four are absent from both.
    assert found.item() == pytest.approx((1 - 1 / 55) / 6)
    only = warped_overlap_loss(field(0, 0, 0, batch=2), moving, fixed, (2, 3))
    assert only.item() == pytest.approx(0, abs=1e-9)


def test_gradient_moves_labels_together():
    ddf = field(0.5, 0, 0).requires_grad_()
    warped_overlap_loss(ddf, block(1, 6), block(1, 5), (1,)).backward()
    along, *across = ddf.grad[0].sum((1, 2, 3)).tolist()
    assert along < -0.1
    assert max(map(abs, across)) < abs(along)


def test_integer_labels_are_taken():
    pair = block(1, 5).to(torch.int16), block(1, 6).to(torch.uint8)
    expected = warped_overlap_loss(field(0, 0, 0), block(1, 5), block(1, 6))
    torch.testing.assert_close(warped_overlap_loss(field(0, 0, 0), *pair), expected)
