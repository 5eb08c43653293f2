"""Overlaps that can be counted by hand."""

import math

import pytest
import torch

from monai_cortex.metrics import label_overlap

NAMES = ("unknown", "cuneus", "insula")


def labels(*numbers):
    return torch.tensor(numbers)


def test_dice_is_twice_the_common_vertices_over_all():
    overlap = label_overlap(labels(1, 1, 1, 2, 0, -1), labels(1, 1, 2, 2, 2, 1), NAMES)
    assert overlap.names == ("cuneus", "insula")
    assert overlap.dice.tolist() == pytest.approx([2 * 2 / (3 + 3), 2 * 1 / (1 + 3)])
    assert overlap.weighted.tolist() == overlap.dice.tolist()


def test_weights_are_those_of_vertices():
    weights = torch.tensor([1.0, 2, 3, 4])
    overlap = label_overlap(labels(1, 1, 2, 2), labels(1, 2, 2, 1), NAMES, weights=weights)
    assert overlap.weighted.tolist() == pytest.approx([2 * 1 / (3 + 5), 2 * 3 / (7 + 5)])
    assert overlap.dice.tolist() == pytest.approx([0.5, 0.5])


def test_same_parcellation_overlaps_fully_and_order_of_the_two_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    one, two = torch.randint(-1, 3, (2, 500), generator=generator)
    assert label_overlap(one, one, NAMES).dice.tolist() == [1, 1]
    there, back = label_overlap(one, two, NAMES), label_overlap(two, one, NAMES)
    assert there.dice.tolist() == back.dice.tolist()
    assert 0.2 < there.dice.mean() < 0.5


def test_regions_are_paired_by_name_whatever_their_numbers():
    overlap = label_overlap(labels(0, 0, 1, 2), labels(2, 2, 0, 1), ("a", "b", "mine"), ("b", "theirs", "a"))
    assert overlap.names == ("b", "a")
    assert overlap.dice.tolist() == [1, 1]


@pytest.mark.parametrize("name", ["unknown", "Unknown", "corpuscallosum", "Medial_Wall", "medialwall", "???", ""])
def test_what_is_no_region_does_not_count(name):
    overlap = label_overlap(labels(0, 0, 1), labels(0, 0, 1), (name, "cuneus"))
    assert overlap.names == ("cuneus",)


def test_region_without_vertices_has_no_overlap_and_one_sided_ones_have_none_in_common():
    overlap = label_overlap(labels(1, 1), labels(-1, -1), NAMES)
    assert overlap.dice[0] == 0
    assert math.isnan(overlap.dice[1])


@pytest.mark.parametrize(
    ("first", "second"), [(labels(1), labels(1, 1)), (labels(3), labels(1)), (labels(1), labels(-2))]
)
def test_labels_that_do_not_fit_are_refused(first, second):
    with pytest.raises(ValueError, match="labels"):
        label_overlap(first, second, NAMES)
