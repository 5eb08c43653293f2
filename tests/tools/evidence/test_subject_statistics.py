import math

import numpy as np
import pytest
from scipy.stats import binom


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/subject_statistics")


def test_interval_is_students(tool):
    """Three values 1, 2, 3: standard error 1 / sqrt(3), quantile 4.3027 of two degrees of freedom."""
    rows = [{"f1": value} for value in (1.0, 2.0, 3.0)]
    mean, half = tool.mean_interval(rows, "f1")
    assert mean == 2
    assert half == pytest.approx(4.302653 / 3**0.5)
    assert math.isnan(tool.mean_interval(rows[:1], "f1")[1])


def test_signed_ranks_of_equal_signs_are_as_rare_as_coins(tool):
    """Eight differences above 0: both extremes of 2^8 equally likely sign patterns."""
    found = tool.paired_difference(np.arange(1.0, 9.0), np.zeros(8))
    assert found["p"] == pytest.approx(2 * binom.pmf(8, 8, 0.5))
    assert (found["pairs"], found["mean"]) == (8, 4.5)
    assert found["low"] < 4.5 < found["high"]


def test_exchange_changes_the_sign_alone(tool):
    one, two = np.random.default_rng(1).normal(size=(2, 12))
    forth, back = tool.paired_difference(one, two), tool.paired_difference(two, one)
    assert forth["p"] == back["p"]
    assert forth["mean"] == pytest.approx(-back["mean"])


def test_equal_shifts_have_no_width(tool):
    found = tool.paired_difference(np.arange(8.0) + 0.25, np.arange(8.0))
    assert (found["low"], found["high"]) == (0.25, 0.25)


def test_few_pairs_and_missing_values_get_no_p(tool):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, math.nan]
    found = tool.paired_difference(values, [0.0] * 6)
    assert found["pairs"] == 5
    assert math.isnan(found["p"])
    assert math.isnan(tool.paired_difference([1.0] * 6, [1.0] * 6)["p"])
    assert tool.paired_difference([math.nan], [0.0])["pairs"] == 0
