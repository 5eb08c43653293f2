"""Whether a second measurement of fewer subjects agrees with the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = ["Agreement", "agreement"]

_SHARE = 0.1  # of the committed value, where too few values are there for an interval


class Agreement(NamedTuple):
    """Two means, and how far apart they may be."""

    committed: float
    found: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether they are no further apart."""
        return abs(self.found - self.committed) <= self.allowed

    def __str__(self) -> str:
        word = "agrees with" if self.holds else "DIFFERS from"
        return f"{self.found:.4g} {word} {self.committed:.4g} +- {self.allowed:.2g}"


def agreement(committed: Sequence[float], found: Sequence[float]) -> Agreement | None:
    """Compare two means.

    The mean of m new values lies within t s sqrt(1/n + 1/m) of that of n committed ones in 99 of 100 measurements, s
    being their standard deviation. Of one value alone the new one may be a tenth off.

    Args:
        committed: values of the first measurement.
        found: values of the second one.

    Returns:
        None where either has none.
    """
    if not len(committed) or not len(found):
        return None
    first, second, count = float(np.mean(committed)), float(np.mean(found)), len(committed)
    if count == 1:
        return Agreement(first, second, _SHARE * abs(first))
    spread = float(np.std(committed, ddof=1)) * math.sqrt(1 / count + 1 / len(found))
    return Agreement(first, second, max(float(stats.t.ppf(0.995, count - 1)) * spread, 1e-6 * abs(first)))
