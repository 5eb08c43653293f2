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
from .text_table import read_table

__all__ = ["GradientTable", "fsl_vectors", "read_fsl_gradients", "write_fsl_gradients"]

_AXES, _MRTRIX_COLUMNS = 3, 4
_DEVIATION = 0.01
_EXACT = 1e-4
_SMALL_UNITS = 20.0
_SHOWN = 5


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


class _Table:
    """One pair of files, so that every refusal can name both the right one and the subject."""

    def __init__(self, bval: str | os.PathLike[str], bvec: str | os.PathLike[str], subject: str) -> None:
        self.bval, self.bvec, self.subject = bval, bvec, subject
        rows = self._rows(bval)
        self.b = rows.ravel()
        if min(rows.shape) > 1:
            found = f"{rows.shape[0]} x {rows.shape[1]} numbers"
            raise self.error(bval, "the b-values are no single row or column", found, "one number a volume")

    def error(  # noqa: PLR0913
        self, file: object, problem: str, found: object, expected: object, remedy: str = "correct the gradient table"
    ) -> GradientError:
        return GradientError(problem, file=file, subject=self.subject, found=found, expected=expected, remedy=remedy)

    def vectors(self) -> NDArray[np.float64]:
        """Vectors as stored, ``(N, 3)``."""
        rows = self._rows(self.bvec)
        found = f"{rows.shape[0]} x {rows.shape[1]} numbers"
        if rows.shape == (_AXES, _AXES):
            remedy = "give the table of the whole acquisition, which has more than 3 volumes"
            raise self.error(self.bvec, "rows and columns of the table are ambiguous", found, "3 x N or N x 3", remedy)
        if _AXES not in rows.shape:
            raise self.error(self.bvec, "the vectors have no three components", found, "3 x N or N x 3 numbers")
        return rows.T if rows.shape[0] == _AXES else rows

    def _rows(self, file: str | os.PathLike[str]) -> NDArray[np.float64]:
        rows = np.array(read_table(file, GradientError, self.subject)[0])
        # Four numbers a volume, the last of them a b-value; an FSL file holds one or three.
        if rows.shape[1] == _MRTRIX_COLUMNS and rows.shape[0] not in (1, _AXES):
            raise self.error(
                file,
                "looks like an MRtrix table (x y z b), not an FSL one",
                f"{rows.shape[0]} rows of 4 numbers",
                "b-values in dwi.bval, vectors in dwi.bvec",
                "convert it with `mrconvert -grad dwi.b -export_grad_fsl dwi.bvec dwi.bval`",
            )
        return rows


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
    table = _Table(bval, bvec, subject)
    vectors = table.vectors()
    _check_counts(table, len(vectors), volumes)
    _check_finite(table, vectors)
    _check_bvalues(table, b0_threshold)
    weighted = table.b > b0_threshold
    norms = np.linalg.norm(vectors, axis=1)
    _check_norms(table, norms, weighted)
    unit = np.where(weighted[:, None], vectors / np.where(weighted, norms, 1)[:, None], 0.0)
    notes = [_renormalized(norms, weighted)] if (abs(norms - 1) > _EXACT)[weighted].any() else []
    return GradientTable(table.b, _world(unit, affine), tuple(notes))


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


def _renormalized(norms: NDArray[np.float64], weighted: NDArray[Any]) -> str:
    worst = float(abs(norms - 1)[weighted].max())
    return f"vectors renormalized, norms deviated from 1 by up to {100 * worst:.2g} %"


def _check_counts(table: _Table, vectors: int, volumes: int | None) -> None:
    if len({len(table.b), vectors, vectors if volumes is None else volumes}) > 1:
        raise table.error(
            table.bval,
            "numbers of volumes, b-values and vectors differ",
            f"{'' if volumes is None else f'{volumes} volumes, '}{len(table.b)} b-values, {vectors} vectors",
            "equal numbers",
            "check that image and gradients are of the same series",
        )


def _check_finite(table: _Table, vectors: NDArray[np.float64]) -> None:
    for file, rows in ((table.bval, table.b[:, None]), (table.bvec, vectors)):
        bad = np.asarray(~np.isfinite(rows).all(1))
        if bad.any():
            remedy = "write 0 0 0 for the vector of b = 0" if file is table.bvec else "correct the gradient table"
            raise table.error(file, "NaN or infinite entries", f"in {_volumes(bad)}", "finite numbers", remedy)


def _check_bvalues(table: _Table, threshold: float) -> None:
    b: NDArray[Any] = table.b
    largest, smallest = b.max(), b.min()
    if smallest < 0:
        raise table.error(
            table.bval, "negative b-values", f"{smallest:g} in {_volumes(np.asarray(b < 0))}", "0 or more s/mm^2"
        )
    if 0 < largest < _SMALL_UNITS:
        remedy = "multiply b-values in ms/um^2 by 1000"
        raise table.error(table.bval, "b-values in wrong units", f"largest b = {largest:g}", "s/mm^2", remedy)
    if largest <= threshold:
        raise table.error(
            table.bval,
            "no diffusion-weighted volume",
            f"largest b = {largest:g}",
            f"b above {threshold:g} s/mm^2",
            "check that the table belongs to this series",
        )
    if smallest > threshold:
        raise table.error(
            table.bval,
            "no b = 0 volume",
            f"smallest b = {smallest:g}",
            f"a volume with b of at most {threshold:g} s/mm^2",
            "add the b = 0 image, or raise b0_threshold",
        )


def _check_norms(table: _Table, norms: NDArray[np.float64], weighted: NDArray[Any]) -> None:
    zero: NDArray[Any] = weighted & (norms == 0)
    if zero.any():
        raise table.error(table.bvec, "weighted volumes with a zero vector", _volumes(zero), "a unit vector each")
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


def _volumes(bad: NDArray[Any]) -> str:
    """Numbers of the first few volumes concerned, counted from 0."""
    index = np.flatnonzero(bad)
    more = f" and {len(index) - _SHOWN} more" if len(index) > _SHOWN else ""
    return f"volume {', '.join(map(str, index[:_SHOWN]))}{more}"
