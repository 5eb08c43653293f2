import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.data.shells import find_shells

CENTERS = (0, 500, 700, 1000, 2000, 2800, 3000)


def test_rounding_of_the_scanner_does_not_split_shells():
    values, shell = find_shells([0, 1001, 2999, 5, 999, 3001, 1000])
    assert values.tolist() == [0, 1000, 3000]
    assert shell.tolist() == [0, 1, 2, 0, 1, 2, 1]


@given(st.lists(st.tuples(st.sampled_from(CENTERS), st.floats(-30, 30)), min_size=1, max_size=40), st.randoms())
def test_scattered_shells_are_recovered(volumes, random):
    b = np.array([max(center + scatter, 0) for center, scatter in volumes])
    centers = sorted({center for center, _ in volumes})
    values, shell = find_shells(b)
    assert shell.tolist() == [centers.index(center) for center, _ in volumes]
    for number, center in enumerate(centers):
        expected = b[shell == number].mean() if center else 0
        assert values[number] == pytest.approx(expected)
    order = list(range(len(b)))
    random.shuffle(order)
    again = find_shells(b[order])
    np.testing.assert_array_equal(again.values, values)
    np.testing.assert_array_equal(again.shell, shell[order])


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=60))
def test_shells_are_ascending_and_narrow(b):
    values, shell = find_shells(b)
    assert (np.diff(values) > 0).all()
    assert set(shell) == set(range(len(values)))
    assert ((values[shell] == 0) == (np.array(b) <= 50)).all()
    ranks = shell[np.argsort(b, kind="stable")]
    assert (np.diff(ranks) >= 0).all()


def test_neighbors_do_not_chain_into_one_shell():
    values, _ = find_shells([0, *range(1000, 1400, 10)])
    assert len(values) > 2


def test_tolerance_and_threshold_are_the_callers():
    b = [0, 60, 1000, 1100]
    assert len(find_shells(b).values) == 4
    assert find_shells(b, 200, b0_threshold=70).values.tolist() == [0, 1050]


def test_lowest_shell_stays_out_of_the_unweighted_one():
    assert find_shells([0, 51]).values.tolist() == [0, 51]


@pytest.mark.parametrize("b", [[], [[0, 1]], [-1, 0], [0, np.nan], [np.inf]])
def test_impossible_bvalues(b):
    with pytest.raises(ValueError, match="b-values"):
        find_shells(b)
