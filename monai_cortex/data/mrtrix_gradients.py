"""Gradient tables of MRtrix: one row x y z b for each volume, vectors in world (RAS+) axes, whatever the image."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import GradientError

from .atomic import atomic_path
from .gradient_checks import RawTable, unit_vectors
from .gradients import GradientTable
from .text_table import read_table

__all__ = ["read_mrtrix_gradients", "write_mrtrix_gradients"]

_COLUMNS = 4
_SUBSTANTIAL = 1.01


def read_mrtrix_gradients(
    path: str | os.PathLike[str], volumes: int | None = None, subject: str = "", *, b0_threshold: float = 50.0
) -> GradientTable:
    """Read an MRtrix table; lines that start with ``#`` are remarks.

    As MRtrix does by default (its option ``-bvalue_scaling`` left automatic), every b-value is multiplied by the
    squared norm of its vector if one of these squares, a zero vector's included, is more than 1 % away from 1: on
    scanners, the lengths of the vectors often encode the shells. All vectors become unit vectors.

    Args:
        path: text of N rows x y z b, b in s/mm^2.
        volumes: number of volumes of the image, if known.
        subject: identifier for messages.
        b0_threshold: largest b-value, after scaling, that counts as unweighted, s/mm^2; its vector becomes zero.

    Returns:
        b-values and world directions; scaling and renormalization are noted.

    Raises:
        InputFileError: the file is missing, empty or no text.
        GradientError: the table cannot be right.
    """
    rows = np.array(read_table(path, GradientError, subject)[0])
    table = RawTable(path, path, subject, rows[:, -1], rows[:, :-1])
    if rows.shape[1] != _COLUMNS:
        found = f"{rows.shape[0]} rows of {rows.shape[1]} numbers"
        remedy = "export it with `mrinfo dwi.mif -export_grad_mrtrix dwi.b`; FSL tables are dwi.bval and dwi.bvec"
        raise table.error(path, "not an MRtrix table (x y z b)", found, "one row of 4 numbers for each volume", remedy)
    table.check_entries(volumes)
    # Scaling by the vectors would hide what is wrong with b-values of zero vectors.
    table.check_size()
    table.check_directions(b0_threshold)
    factors = _factors(table.vectors)
    table.b = table.b * factors
    table.check_bvalues(b0_threshold)
    weighted = table.b > b0_threshold
    unit, notes = unit_vectors(table.vectors, weighted)
    low, high = factors[weighted].min(), factors[weighted].max()
    if max(high, 1 / low) > _SUBSTANTIAL:
        notes = (f"b-values scaled by the squared norms of the vectors, {low:.4g} to {high:.4g}", *notes)
    return GradientTable(table.b, unit, notes)


def write_mrtrix_gradients(path: str | os.PathLike[str], table: GradientTable) -> None:
    """Write a table atomically, with 12 digits."""
    rows = np.concatenate([table.directions, table.bvalues[:, None]], 1)
    with atomic_path(path) as temporary:
        # Adding zero turns -0 into 0.
        np.savetxt(temporary, rows + 0.0, fmt="%.12g")


def _factors(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared norms ``(N,)``, or ones where all are near 1."""
    squares: NDArray[np.float64] = (vectors**2).sum(1)
    near = (squares <= _SUBSTANTIAL) & (squares * _SUBSTANTIAL >= 1)
    return np.ones_like(squares) if near.all() else squares
