"""Shells of a diffusion acquisition: volumes whose b-values are the same but for the scanner's rounding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Shells", "find_shells"]


class Shells(NamedTuple):
    """S shells of N volumes.

    Args:
        values: mean b-value of each shell in s/mm^2, ascending, exactly 0 for the unweighted one, ``(S,)``.
        shell: number of each volume's shell, ``(N,)``.
    """

    values: NDArray[np.float64]
    shell: NDArray[np.int64]


def find_shells(bvalues: ArrayLike, tolerance: float = 80.0, *, b0_threshold: float = 50.0) -> Shells:
    """Group b-values into shells.

    In ascending order, a volume joins the shell before it while it lies within the tolerance of that shell's mean.

    Args:
        bvalues: s/mm^2, ``(N,)``.
        tolerance: largest distance from the mean of a shell, s/mm^2.
        b0_threshold: b-values up to here are the shell 0, s/mm^2.

    Raises:
        ValueError: for no, negative or non-finite b-values.
    """
    b = np.asarray(bvalues, np.float64)
    if b.ndim != 1 or not b.size or not (b >= 0).all() or not np.isfinite(b).all():
        raise ValueError(f"need N finite b-values of at least 0, got {b.tolist()}; check the gradient table.")
    order = np.argsort(b, kind="stable")
    shell, values, members = np.empty(len(b), np.int64), list[float](), list[float]()
    for volume in order:
        value = 0.0 if b[volume] <= b0_threshold else float(b[volume])
        if not members or _opens(value, members, tolerance):
            values.append(value)
            members = []
        members.append(value)
        values[-1] = float(np.mean(members))
        shell[volume] = len(values) - 1
    return Shells(np.array(values), shell)


def _opens(value: float, members: list[float], tolerance: float) -> bool:
    """Whether a value starts a new shell; nothing joins the unweighted one."""
    return value > 0 and (members[0] == 0 or value - float(np.mean(members)) > tolerance)
