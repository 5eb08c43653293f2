"""Hearts made by hand, whose overlap and distances can be counted."""

import math

import numpy as np
import pytest
import torch

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.metrics import STRUCTURES, StructureOverlapMetric, structure_overlap

AFFINE = np.diag([1.5, 2.0, 5.0, 1.0])


def heart(shift=0):
    """A ring of myocardium around a cavity, a right ventricle beside it."""
    labels = torch.zeros(1, 24, 20, 6)
    labels[0, 4 + shift : 14 + shift, 4:14, 1:5] = 2
    labels[0, 7 + shift : 11 + shift, 7:11, 1:5] = 3
    labels[0, 14 + shift : 20 + shift, 6:12, 1:5] = 1
    return labels


def test_order_of_structures():
    assert list(STRUCTURES) == ["lv", "myo", "epi", "rv", "all"]
    assert [set(numbers) for numbers in STRUCTURES.values()] == [{3}, {2}, {2, 3}, {1}, {1, 2, 3}]


def test_equal_hearts():
    found = structure_overlap(heart(), heart(), AFFINE)
    assert found.dice.tolist() == [1] * 5
    assert found.hd95.tolist() == found.assd.tolist() == [0] * 5
    assert (found.mean5, found.mean3, found.empty) == (1, 1, 0)


def test_dice_of_a_shift_is_counted_by_hand():
    found = structure_overlap(heart(1), heart(), AFFINE)
    # Columns along the first axis: cavity 4 long, 3 in common; outline 10 and 9; right ventricle 6 and 5.
    myo = 2 * (9 * 10 - 5 * 4 + 0.0 + 3 * 4 - 3 * 4) / (2 * (100 - 16))
    assert found.dice[[0, 2, 3]].tolist() == pytest.approx([3 / 4, 9 / 10, 5 / 6])
    assert found.dice[1].item() == pytest.approx(myo)
    total = 2 * (9 * 10 + 5 * 6 + 1 * 6) / (2 * (100 + 36))
    assert found.dice[4].item() == pytest.approx(total)
    assert found.mean5.item() == pytest.approx(float(found.dice.mean()))
    assert found.mean3.item() == pytest.approx(float(found.dice[[0, 1, 3]].mean()))


@pytest.mark.parametrize(("axis", "edge"), [(0, 1.5), (1, 2.0), (2, 5.0)])
def test_distances_of_planes_are_in_mm(axis, edge):
    """Two plates of one voxel, three voxels apart."""
    shape = [9, 9, 9]
    one, two = torch.zeros(shape), torch.zeros(shape)
    one.select(axis, 2).fill_(3)
    two.select(axis, 5).fill_(3)
    found = structure_overlap(one, two, AFFINE)
    for distance in (found.hd95, found.assd):
        assert distance[[0, 2, 4]].tolist() == pytest.approx([3 * edge] * 3, abs=1e-5)
    assert found.dice[0] == 0


def test_oblique_grids_have_the_same_spacing():
    turned = AFFINE.copy()
    turned[:3, :3] = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1.0]]) @ AFFINE[:3, :3]
    first, second = (structure_overlap(heart(1), heart(), affine) for affine in (AFFINE, turned))
    torch.testing.assert_close(first.assd, second.assd)
    torch.testing.assert_close(first.hd95, second.hd95)


def test_both_directions_are_one():
    first, second = structure_overlap(heart(2), heart(), AFFINE), structure_overlap(heart(), heart(2), AFFINE)
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two)


def test_empty_structures_are_left_out_and_counted():
    one, two = heart(1), heart()
    one[one == 1] = two[two == 1] = 0
    found = structure_overlap(one, two, AFFINE)
    assert found.empty == 1
    assert [math.isnan(value) for value in found.dice] == [False, False, False, True, False]
    assert math.isnan(found.assd[3])
    assert found.mean5.item() == pytest.approx(float(found.dice[[0, 1, 2, 4]].mean()))
    assert found.mean3.item() == pytest.approx(float(found.dice[:2].mean()))


@pytest.mark.parametrize("side", [0, 1])
def test_structures_that_only_one_heart_has_are_a_failure(side):
    pair = [heart(), heart()]
    pair[side][pair[side] == 1] = 0
    found = structure_overlap(*pair, AFFINE)
    assert (found.dice[3], found.empty) == (0, 0)
    assert math.isnan(found.hd95[3])
    assert found.mean5.item() == pytest.approx(float(found.dice.mean()))


def test_hearts_without_anything():
    found = structure_overlap(0 * heart(), 0 * heart(), AFFINE)
    assert found.empty == 5
    assert math.isnan(found.mean5)


@pytest.mark.parametrize("name", ["mean5", "mean3", "lv", "myo", "epi", "rv", "all"])
def test_metric_is_the_mean_over_hearts(name):
    metric = StructureOverlapMetric(name)
    pairs = [(heart(shift), heart()) for shift in (0, 1, 2)]
    assert metric(torch.stack([pairs[0][0], pairs[1][0]]), torch.stack([pairs[0][1], pairs[1][1]])).shape == (2, 1)
    metric([pairs[2][0]], [pairs[2][1]])
    found = [structure_overlap(*pair, AFFINE) for pair in pairs]
    place = list(STRUCTURES).index(name) if name in STRUCTURES else None
    values = [getattr(part, name) if place is None else part.dice[place] for part in found]
    assert float(metric.aggregate()) == pytest.approx(float(torch.stack(values).mean()))


def test_metric_leaves_empty_structures_out():
    metric, empty = StructureOverlapMetric("rv"), heart() * (heart() != 1)
    metric(torch.stack([heart(1), empty]), torch.stack([heart(), empty]))
    assert float(metric.aggregate()) == pytest.approx(5 / 6)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="one grid"):
        structure_overlap(heart(), heart()[..., :3], AFFINE)
    with pytest.raises(ConfigError, match="one grid"):
        structure_overlap(heart()[None], heart()[None], AFFINE)
    for wrong in (0.5, 4, -1, math.nan):
        with pytest.raises(ConfigError, match="unknown labels"):
            structure_overlap(heart(), heart().index_fill(1, torch.tensor([0]), wrong), AFFINE)
    with pytest.raises(GeometryError, match="does not place"):
        structure_overlap(heart(), heart(), np.zeros((4, 4)))
    with pytest.raises(ValueError, match="true ones"):
        StructureOverlapMetric()(heart()[None])
    with pytest.raises(ValueError, match="mean5"):
        StructureOverlapMetric("mean4")
