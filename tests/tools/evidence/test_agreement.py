import numpy as np
import pytest


@pytest.fixture
def agreement(load_tool):
    return load_tool("evidence/agreement").agreement


def test_new_means_of_one_distribution_agree_in_99_of_100(agreement):
    draw = np.random.default_rng(0).normal
    held = [agreement(draw(3, 1, 12), draw(3, 1, 2)).holds for _ in range(2000)]
    assert 0.98 < np.mean(held) < 0.998


def test_other_means_do_not(agreement):
    draw = np.random.default_rng(0).normal
    found = agreement(draw(3, 0.1, 12), [4.0, 4.1])
    assert not found.holds
    assert "DIFFERS" in str(found)


def test_single_values_may_be_a_tenth_off(agreement):
    assert agreement([2.0], [2.19]).holds
    assert not agreement([2.0], [2.21]).holds
    assert agreement([], [1.0]) is None
    assert agreement([1.0], []) is None
