"""Tests of differences that can be computed by hand."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from monai_cortex.metrics import paired_t_tests


def test_statistic_is_mean_over_standard_error():
    """Differences 1, 2, 3: mean 2, deviation 1."""
    found = paired_t_tests([[5.0], [5.0], [5.0]], [[6.0], [7.0], [8.0]])
    assert found.difference.tolist() == [2]
    assert found.t.item() == pytest.approx(2 * math.sqrt(3))
    assert found.p.item() == pytest.approx(2 * student.sf(2 * math.sqrt(3), 2))
    assert found.q.item() == found.p.item()


def test_exchange_turns_the_sign_only():
    first, second = np.random.default_rng(0).normal(size=(2, 6, 4))
    there, back = paired_t_tests(first, second), paired_t_tests(second, first)
    np.testing.assert_allclose(there.t, -back.t)
    np.testing.assert_allclose(there.difference, -back.difference)
    np.testing.assert_allclose(there.q, back.q)


def test_adjusted_values_are_those_of_benjamini_and_hochberg():
    """q of the k-th smallest of n is the least n p / j over j >= k."""
    first, second = np.random.default_rng(1).normal(size=(2, 5, 7))
    found = paired_t_tests(first, second + np.linspace(0, 2, 7))
    order = np.argsort(found.p)
    ranked = found.p[order] * 7 / np.arange(1, 8)
    expected = np.minimum.accumulate(ranked[::-1])[::-1].clip(max=1)
    np.testing.assert_allclose(found.q[order], expected)
    assert (found.q >= found.p).all()


def test_what_cannot_be_tested_is_not_a_number_and_does_not_weigh_on_the_others():
    first = np.zeros((3, 4))
    second = np.array([[1.0, 0.1, np.nan, 0], [2, 0.1, np.nan, 0], [4, 0.1, 3, 0]])
    found = paired_t_tests(first, second)
    assert found.subjects.tolist() == [3, 3, 1, 3]
    assert np.isnan(found.q).tolist() == [False, True, True, True]
    assert found.difference.tolist() == pytest.approx([7 / 3, 0.1, 3, 0])
    assert found.q[0] == found.p[0]


@pytest.mark.parametrize("subjects", [0, 1])
def test_fewer_than_two_subjects_are_not_testable(subjects):
    found = paired_t_tests(np.zeros((subjects, 2)), np.ones((subjects, 2)))
    assert np.isnan(found.q).all()
    assert found.subjects.tolist() == [subjects] * 2
    assert np.isnan(found.difference).all() == (subjects == 0)


@pytest.mark.parametrize("second", [np.zeros((2, 3)), np.zeros(2)])
def test_other_shapes_are_refused(second):
    with pytest.raises(ValueError, match=r"\(S, R\)"):
        paired_t_tests(np.zeros((3, 2)), second)
