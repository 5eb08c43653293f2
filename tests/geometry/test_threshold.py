import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_cortex.geometry.threshold import best_threshold

numbers = st.lists(st.integers(-50, 50), min_size=2, max_size=12).filter(lambda v: len(set(v)) > 1)


def threshold(values):
    return best_threshold(torch.tensor(values, dtype=torch.float64))


def splits(values):
    """Threshold halfway between neighbors, and the sum of squared deviations from the means of the two classes."""
    levels = sorted(set(values))
    for low, high in zip(levels, levels[1:], strict=False):
        classes = [v for v in values if v <= low], [v for v in values if v >= high]
        spread = sum((v - sum(part) / len(part)) ** 2 for part in classes for v in part)
        yield (low + high) / 2, spread


@given(numbers)
@settings(deadline=None)
def test_no_other_threshold_leaves_less_variance_within_the_classes(values):
    """Brute force; what does not lie within the classes lies between them."""
    spread = dict(splits(values))
    assert spread[threshold(values)] == pytest.approx(min(spread.values()), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("low", [1, 2, 5, 9])
def test_two_values_are_split_halfway_whatever_their_shares(low):
    assert threshold([3.0] * low + [7.0] * (10 - low)) == 5.0


@pytest.mark.parametrize("count", [2, 6, 100])
def test_even_spacing_is_split_in_the_middle(count):
    assert threshold([n / (count - 1) for n in range(count)]) == pytest.approx(0.5)


def test_a_small_class_far_away_is_split_off():
    """By hand, n_0 n_1 (mu_0 - mu_1)^2 is 121, 253.5, 433.5 and 841 at the four gaps."""
    assert threshold([0.0, 1.0, 2.0, 3.0, 16.0]) == 9.5


def unique(values):
    """Whether one split is the best beyond rounding."""
    best, second = sorted([spread for _, spread in splits(values)] + [math.inf])[:2]
    return second - best > 1e-6


@given(numbers.filter(unique), st.floats(0.01, 100), st.floats(-1000, 1000), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_threshold_follows_shift_scale_order_and_sign(values, scale, shift, shuffled):
    expected = threshold(values)
    moved = [scale * v + shift for v in values]
    shuffled.shuffle(moved)
    assert threshold(moved) == pytest.approx(scale * expected + shift, rel=1e-9, abs=1e-9)
    assert threshold([-v for v in values]) == -expected


def test_far_from_zero_nothing_is_lost():
    """Sums of squares of 1e8 + v would lose all digits of v."""
    values = [0.0, 0.1, 0.2, 5.0, 5.1]
    assert threshold([1e8 + v for v in values]) == pytest.approx(1e8 + 2.6, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_none_lies_above_the_threshold_of_equal_values(count):
    values = torch.full((count,), 0.1)
    assert best_threshold(values) == values[0].item()
    assert not (values > best_threshold(values)).any()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "got 0, 0 of them not finite"),
        ([1.0, math.nan, 2.0], "got 3, 1 of them not finite"),
        ([1.0, math.inf, -math.inf, 0.0], "got 4, 2 of them not finite"),
    ],
)
def test_no_or_non_finite_values_are_refused(values, words):
    with pytest.raises(ValueError, match=f"need finite values, {words}"):
        threshold(values)
