"""Thresholds that split values into a low and a high class."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_threshold"]


def best_threshold(values: Tensor) -> float:
    r"""Threshold that makes two classes as uniform as possible, exactly, without a histogram.

    It maximizes the variance between the classes, :math:`n_0 n_1 (\mu_0 - \mu_1)^2`, which is the same as the
    correlation of the values with their class.

    Args:
        values: finite, ``(P,)``.

    Returns:
        A number halfway between the largest value of the low class and the smallest of the high one, in the unit of
        the values; of equal values, their value, so that none lies above.

    Raises:
        ValueError: for no or non-finite values.

    Reference:
        Otsu, IEEE Trans. Syst. Man Cybern. 9(1):62-66, 1979; Ridgway et al., NeuroImage 44(1):99-111, 2009.
    """
    if not len(values) or not values.isfinite().all():
        raise ValueError(
            f"need finite values, got {len(values)}, {int((~values.isfinite()).sum())} of them not finite."
        )
    ordered = values.double().sort().values
    if ordered[0] == ordered[-1]:
        return float(ordered[0])
    below = torch.arange(1, len(ordered), dtype=torch.float64)
    # Centered, so that the sum of all is zero: n_0 n_1 (mu_0 - mu_1)^2 = n^2 sum_0^2 / (n_0 n_1).
    total = (ordered - ordered.mean()).cumsum(0)[:-1]
    variance = total**2 / (below * (len(ordered) - below))
    variance = torch.where(ordered[1:] > ordered[:-1], variance, -1.0)
    best = int(variance.argmax())
    return float((ordered[best] + ordered[best + 1]) / 2)
