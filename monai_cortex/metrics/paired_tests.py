"""Whether two methods differ, region by region, over the same subjects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control, ttest_rel

__all__ = ["PairedTests", "paired_t_tests"]

_PAIR = 2


class PairedTests(NamedTuple):
    """Results of each of R regions, float64 ``(R,)``; NaN where a region is not testable.

    Attributes:
        subjects: pairs that the test is made of, a count, int64 ``(R,)``.
        difference: mean of second minus first, in their unit; NaN without a pair.
        t: statistic of the paired t-test, dimensionless, positive where the second is larger.
        p: two-sided probability of a larger one without any difference, in [0, 1].
        q: p adjusted for the number of testable regions, in [0, 1]: tests with q below 0.05 hold less than 5 % false
            discoveries in expectation.
    """

    subjects: NDArray[np.int64]
    difference: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]


def paired_t_tests(first: ArrayLike, second: ArrayLike) -> PairedTests:
    """Student's paired t-test of each region, and Benjamini and Hochberg's adjustment over all that can be tested.

    A region is not testable with fewer than two pairs, or where all differences are equal: their variance is 0 then,
    and no statistic says how sure they are.

    Args:
        first, second: values of S subjects in R regions ``(S, R)``; a pair with NaN in either is left out.

    Raises:
        ValueError: if the shapes differ or are not ``(S, R)``.

    Reference:
        Benjamini and Hochberg, J. R. Stat. Soc. B 57(1):289-300, 1995.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 2 or one.shape != two.shape:  # noqa: PLR2004
        raise ValueError(f"need values (S, R) of the same subjects and regions, got {one.shape} and {two.shape}.")
    regions = one.shape[1]
    present = np.isfinite(one) & np.isfinite(two)
    result = PairedTests(present.sum(0), *(np.full(regions, np.nan) for _ in range(4)))
    for region in range(regions):
        pairs = one[present[:, region], region], two[present[:, region], region]
        change = pairs[1] - pairs[0]
        if len(change):
            result.difference[region] = change.mean()
        if len(change) >= _PAIR and _varies(change, pairs):
            result.t[region], result.p[region] = ttest_rel(pairs[1], pairs[0])
    tested = np.isfinite(result.p)
    if tested.any():
        result.q[tested] = false_discovery_control(result.p[tested])
    return result


def _varies(change: NDArray[np.float64], pairs: tuple[NDArray[np.float64], NDArray[np.float64]]) -> bool:
    """Whether differences vary by more than the rounding of the values they are taken of."""
    rounding = 64 * np.finfo(np.float64).eps * max(np.abs(pairs[0]).max(), np.abs(pairs[1]).max())
    return bool(np.ptp(change) > rounding)
