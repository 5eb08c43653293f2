"""Means over subjects, and differences between two methods on the same ones, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from scipy import stats

__all__ = ["mean_interval", "paired_difference"]

_LEAST = 6  # pairs below which no p is given
_RESAMPLES = 10000


def paired_difference(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Mean of first minus second, its 95 % bootstrap interval over subjects, and Wilcoxon's signed-rank test.

    Args:
        first, second: values of the same subjects; a pair with NaN in either is left out.

    Returns:
        ``pairs``, ``mean``, ``low``, ``high``, in the values' unit, and two-sided ``p``, NaN with fewer than six pairs
        or without any difference.
    """
    change = np.asarray(first, float) - np.asarray(second, float)
    change = change[np.isfinite(change)]
    if not len(change):
        return {"pairs": 0} | dict.fromkeys(("mean", "low", "high", "p"), math.nan)
    places = np.random.default_rng(0).integers(len(change), size=(_RESAMPLES, len(change)))
    low, high = np.quantile(change[places].mean(1), [0.025, 0.975])
    tested = len(change) >= _LEAST and bool(change.any())
    p = float(stats.wilcoxon(change).pvalue) if tested else math.nan
    return {"pairs": len(change), "mean": float(change.mean()), "low": float(low), "high": float(high), "p": p}


def mean_interval(rows: Iterable[Mapping[str, float]], number: str) -> tuple[float, float]:
    """Mean of a number over rows and half of its 95 % confidence interval (t distribution)."""
    values = torch.tensor([row[number] for row in rows], dtype=torch.float64)
    if len(values) < 2:  # noqa: PLR2004
        return float(values.mean()), math.nan
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5)
