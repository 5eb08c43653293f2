import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monai_cortex.data.gradient_checks import RawTable, unit_vectors
from monai_cortex.errors import GradientError

B0 = 50.0  # s/mm^2
B = [0.0, 5, 1000, 2000]
VECTORS = [[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0.6, 0.8]]


def table(b=B, vectors=VECTORS):
    return RawTable("dwi.bval", "dwi.bvec", "sub-1", np.array(b, float), np.array(vectors, float))


def at(volume, value, rows=B):
    return [value if number == volume else row for number, row in enumerate(rows)]


def entries(volumes=None):
    return lambda raw: raw.check_entries(volumes)


def directions(raw):
    raw.check_directions(B0)


def bvalues(raw):
    raw.check_bvalues(B0)


COUNTS = "check that image and gradients are of the same series"
FINITE = "finite numbers"
CORRECT = "correct the gradient table"
REFUSALS = {
    "image": (table(), entries(5), "bval", "5 volumes, 4 b-values, 4 vectors", "equal numbers", COUNTS),
    "counts": (table(B[:3]), entries(), "bval", "3 b-values, 4 vectors", "equal numbers", COUNTS),
    "b-value": (table(at(2, np.nan)), entries(4), "bval", "in volume 2", FINITE, CORRECT),
    "vector": (
        table(vectors=at(1, [0, 0, -np.inf], VECTORS)),
        entries(),
        "bvec",
        "in volume 1",
        FINITE,
        "write 0 0 0 for the vector of b = 0",
    ),
    "zero": (table(vectors=at(3, [0, 0, 0], VECTORS)), directions, "bvec", "volume 3", "a unit vector each", CORRECT),
    "negative": (table(at(1, -5)), bvalues, "bval", "-5 in volume 1", "0 or more s/mm^2", CORRECT),
    "units": (table([0, 0, 1, 2]), bvalues, "bval", "largest b = 2", "s/mm^2", "multiply b-values in ms/um^2 by 1000"),
    "large": (table([0, 0, 1e9, 2e9]), bvalues, "bval", "largest b = 2e+09", "s/mm^2", CORRECT),
    "unweighted": (
        table([0, 0, 20, 50]),
        bvalues,
        "bval",
        "largest b = 50",
        "b above 50 s/mm^2",
        "check that the table belongs to this series",
    ),
    "weighted": (
        table([51, 60, 1000, 2000]),
        bvalues,
        "bval",
        "smallest b = 51",
        "a volume with b of at most 50 s/mm^2",
        "add the b = 0 image, or raise b0_threshold",
    ),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_each_refusal_says_what_was_found_and_expected(refused, fault):
    raw, check, kind, found, expected, remedy = REFUSALS[fault]
    rows = [f"in: dwi.{kind} (subject sub-1)", f"found: {found}", f"expected: {expected}", f"remedy: {remedy}"]
    error = refused(GradientError, lambda: check(raw))
    assert str(error).splitlines()[1:] == [f"  {row}" for row in rows]


def test_a_sound_table_passes_every_check():
    raw = table()
    raw.check_entries(4)
    raw.check_entries(None)
    raw.check_directions(B0)
    raw.check_bvalues(B0)


def test_thresholds_belong_to_the_unweighted_volumes():
    """A volume at the threshold needs no direction and serves as b = 0."""
    raw = table([50, 50, 1000, 2000])
    raw.check_directions(B0)
    raw.check_bvalues(B0)
    with pytest.raises(GradientError, match="volume 0, 1\n"):
        raw.check_directions(49.9)


def test_first_five_volumes_are_named_and_the_others_counted():
    six = table([1000] * 6, np.zeros((6, 3)))
    with pytest.raises(GradientError, match="volume 0, 1, 2, 3, 4 and 1 more\n"):
        six.check_directions(B0)
    five = table([1000] * 5, np.zeros((5, 3)))
    with pytest.raises(GradientError, match="volume 0, 1, 2, 3, 4\n"):
        five.check_directions(B0)


vectors = arrays(float, (4, 3), elements=st.floats(-2, 2)).filter(lambda v: (np.linalg.norm(v, axis=1) > 0.1).all())


@given(vectors, arrays(bool, 4))
@settings(deadline=None)
def test_weighted_vectors_keep_their_direction_and_become_one_long(given_vectors, weighted):
    unit, notes = unit_vectors(given_vectors, weighted)
    norms = np.linalg.norm(given_vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), weighted, atol=1e-12)
    np.testing.assert_allclose(unit[weighted] * norms[weighted], given_vectors[weighted], atol=1e-12)
    assert bool(notes) == (abs(norms[weighted] - 1) > 1e-4).any()
    again, silent = unit_vectors(unit, weighted)
    np.testing.assert_allclose(again, unit, atol=1e-12)
    assert silent == ()


@pytest.mark.parametrize(("norm", "percent"), [(1.00009, None), (1.00011, "0.011"), (0.975, "2.5"), (0.99991, None)])
def test_note_gives_the_largest_deviation(norm, percent):
    given_vectors = np.array([[7.0, 0, 0], [0, 0, 1], [0, norm, 0]])
    _, notes = unit_vectors(given_vectors, np.array([False, True, True]))
    expected = f"vectors renormalized, norms deviated from 1 by up to {percent} %"
    assert notes == (() if percent is None else (expected,))
