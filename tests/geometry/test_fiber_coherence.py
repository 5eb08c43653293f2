import math

import pytest
import torch

from monai_cortex.geometry.fiber_coherence import axis_orders, fiber_coherence


def test_orders_are_the_signed_permutations_up_to_a_common_sign():
    orders = axis_orders()
    assert torch.equal(orders[0], torch.eye(3, dtype=torch.float64))
    assert all(torch.equal(order @ order.T, orders[0]) for order in orders)
    distinct = {tuple(order.flatten().tolist()) for order in torch.cat([orders, -orders])}
    assert len(distinct) == 48  # all signed permutations of three axes


def circles(edge=9):
    """Fibers that run around an axis along k."""
    place = torch.arange(edge, dtype=torch.float64) - (edge - 1) / 2
    i, j, _ = torch.meshgrid(place, place, place, indexing="ij")
    radius = (i**2 + j**2).sqrt()
    axes = torch.stack([-j, i, torch.zeros_like(i)], -1) / radius.clamp_min(1)[..., None]
    return axes, (radius > 1.5) & (radius < 4)


def test_straight_fibers_through_the_whole_grid_are_coherent():
    axes = torch.tensor([0.6, 0.0, 0.8]).expand(4, 5, 6, 3)
    assert fiber_coherence(axes, torch.ones(4, 5, 6)) == pytest.approx(1, abs=1e-7)


def test_random_axes_agree_by_a_half():
    """The mean of the absolute cosine of two random axes is 1/2."""
    axes = torch.nn.functional.normalize(torch.randn(20, 20, 20, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert fiber_coherence(axes, torch.ones(20, 20, 20)) == pytest.approx(0.5, abs=0.01)


def test_single_row_of_fibers_along_it_is_lowered_by_its_weights_sideways():
    """Weights of a row along i: 2 along it, 2 * 4 / 4 to each side plane's edges and 2 * 4 / 9 to its corners."""
    mask = torch.zeros(9, 5, 5)
    mask[:, 2, 2] = 1
    axes = torch.tensor([1.0, 0, 0]).expand(9, 5, 5, 3)
    inner = 8 * 2.0 / (8 * 2.0 + 8 * 2 * (4 / 4 + 4 / 9))  # the two ends miss one side each, as the row does
    assert fiber_coherence(axes, mask) == pytest.approx(inner)


def test_signs_do_not_matter_and_turning_the_grid_neither():
    axes, mask = circles()
    sign = torch.where(torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)) < 0.5, -1.0, 1.0)
    expected = fiber_coherence(axes, mask)
    assert fiber_coherence(axes * sign[..., None], mask) == pytest.approx(expected)
    turned = torch.rot90(axes, 1, (0, 2)) @ torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=torch.float64)
    assert fiber_coherence(turned, torch.rot90(mask, 1, (0, 2))) == pytest.approx(expected)


def test_every_other_order_that_moves_the_fibers_lowers_it():
    axes, mask = circles()
    best = fiber_coherence(axes, mask)
    for order in axis_orders():
        moved = axes @ order.T
        same = torch.allclose((moved * axes).sum(-1).abs()[mask], torch.ones(1, dtype=torch.float64))
        assert fiber_coherence(moved, mask) == pytest.approx(best) if same else fiber_coherence(moved, mask) < best


def test_nothing_to_compare_is_nan():
    assert math.isnan(fiber_coherence(torch.zeros(3, 3, 3, 3), torch.zeros(3, 3, 3)))
