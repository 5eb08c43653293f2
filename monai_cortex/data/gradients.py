"""Diffusion gradients: b-values and directions, from the files that dcm2niix and FSL write.

An FSL table holds vectors along the voxel axes of an image whose affine mirrors, as radiological images do: where the
affine does not mirror (positive determinant), x is stored negated. Inside the project, vectors are in world axes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monai_cortex.errors import GradientError

from .affine import rotation_of
from .atomic import atomic_path
from .gradient_checks import RawTable, unit_vectors
from .text_table import read_table

__all__ = ["GradientTable", "fsl_vectors", "read_fsl_gradients", "write_fsl_gradients"]

_AXES, _MRTRIX_COLUMNS = 3, 4
_DEVIATION = 0.01


@dataclass(frozen=True, eq=False)
class GradientTable:
    """Gradients of N volumes.

    Args:
        bvalues: diffusion weighting in s/mm^2, ``(N,)``.
        directions: unit vectors in world (RAS+) axes, zero for b = 0, ``(N, 3)``.
        notes: what was repaired on reading, one sentence each.
    """

    bvalues: NDArray[np.float64]
    directions: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_fsl_gradients(
    bval: str | os.PathLike[str],
    bvec: str | os.PathLike[str],
    affine: ArrayLike,
    volumes: int | None = None,
    subject: str = "",
    *,
    b0_threshold: float = 50.0,
) -> GradientTable:
    """Read a pair of FSL gradient files and turn the vectors to world axes.

    Args:
        bval: file of N b-values in s/mm^2.
        bvec: file of N vectors, 3 x N or N x 3.
        affine: of the image, voxel to RAS+ mm, ``(4, 4)``.
        volumes: number of volumes of the image, if known.
        subject: identifier for messages.
        b0_threshold: largest b-value that counts as unweighted, s/mm^2; its vector becomes zero.

    Returns:
        b-values and world directions. Norms within 1 % of 1 are set to 1, and noted.

    Raises:
        InputFileError: a file is missing, empty or no text.
        GradientError: the table cannot be right.
    """
    table = RawTable(bval, bvec, subject, np.empty(0), np.empty((0, _AXES)))
    table.b, table.vectors = _bvalues(table), _vectors(table)
    table.check_entries(volumes)
    table.check_bvalues(b0_threshold)
    table.check_directions(b0_threshold)
    weighted = table.b > b0_threshold
    _check_norms(table, weighted)
    unit, notes = unit_vectors(table.vectors, weighted)
    return GradientTable(table.b, _world(unit, affine), notes)


def fsl_vectors(directions: ArrayLike, affine: ArrayLike) -> NDArray[np.float64]:
    """World directions as FSL stores them for an image; inverse of what :func:`read_fsl_gradients` does.

    Args:
        directions: in world axes, ``(N, 3)``.
        affine: of the image, ``(4, 4)``.

    Returns:
        Vectors along the voxel axes, x negated where the affine does not mirror, ``(N, 3)``.
    """
    return np.asarray(directions, np.float64) @ rotation_of(affine) * _handedness(affine)


def write_fsl_gradients(
    bval: str | os.PathLike[str], bvec: str | os.PathLike[str], table: GradientTable, affine: ArrayLike
) -> None:
    """Write b-values as one row and vectors as three, each file atomically and with 12 digits.

    Args:
        bval, bvec: final names.
        table: gradients in world axes.
        affine: of the image that the files go with, ``(4, 4)``.
    """
    for path, rows in ((bval, table.bvalues[None]), (bvec, fsl_vectors(table.directions, affine).T)):
        # Adding zero turns -0 into 0.
        text = "".join(" ".join(f"{number + 0.0:.12g}" for number in row) + "\n" for row in np.round(rows, 15))
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _handedness(affine: ArrayLike) -> NDArray[np.float64]:
    return np.array([-1.0 if np.linalg.det(np.asarray(affine)[:3, :3]) > 0 else 1.0, 1.0, 1.0])


def _world(vectors: NDArray[np.float64], affine: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(vectors * _handedness(affine) @ rotation_of(affine).T, np.float64)


def _bvalues(table: RawTable) -> NDArray[np.float64]:
    rows = _rows(table, table.bval)
    if min(rows.shape) > 1:
        found = f"{rows.shape[0]} x {rows.shape[1]} numbers"
        raise table.error(table.bval, "the b-values are no single row or column", found, "one number a volume")
    return rows.ravel()


def _vectors(table: RawTable) -> NDArray[np.float64]:
    """Vectors as stored, ``(N, 3)``."""
    rows = _rows(table, table.bvec)
    found = f"{rows.shape[0]} x {rows.shape[1]} numbers"
    if rows.shape == (_AXES, _AXES):
        remedy = "give the table of the whole acquisition, which has more than 3 volumes"
        raise table.error(table.bvec, "rows and columns of the table are ambiguous", found, "3 x N or N x 3", remedy)
    if _AXES not in rows.shape:
        raise table.error(table.bvec, "the vectors have no three components", found, "3 x N or N x 3 numbers")
    return rows.T if rows.shape[0] == _AXES else rows


def _rows(table: RawTable, file: str | os.PathLike[str]) -> NDArray[np.float64]:
    rows = np.array(read_table(file, GradientError, table.subject)[0])
    # Four numbers a volume, the last of them a b-value; an FSL file holds one or three.
    if rows.shape[1] == _MRTRIX_COLUMNS and rows.shape[0] not in (1, _AXES):
        raise table.error(
            file,
            "looks like an MRtrix table (x y z b), not an FSL one",
            f"{rows.shape[0]} rows of 4 numbers",
            "b-values in dwi.bval, vectors in dwi.bvec",
            "name it dwi.b, and remove dwi.bval and dwi.bvec",
        )
    return rows


def _check_norms(table: RawTable, weighted: NDArray[Any]) -> None:
    norms = np.linalg.norm(table.vectors, axis=1)
    off = np.where(weighted, abs(norms - 1), 0)
    if off.max() > _DEVIATION:
        worst = int(off.argmax())
        raise table.error(
            table.bvec,
            "vectors are not of unit length",
            f"norm {norms[worst]:.4g} in volume {worst}, the worst",
            "norms within 1 % of 1",
            "normalize the vectors; where norms encode b, write b-values instead",
        )
