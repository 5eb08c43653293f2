"""What every gradient table is asked, whatever files it comes from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import GradientError

__all__ = ["RawTable", "unit_vectors"]

_EXACT = 1e-4
_SMALL_UNITS = 20.0
_LARGEST = 1e5  # of the strongest scanners, ten times
_SHOWN = 5


@dataclass
class RawTable:
    """Numbers as stored, with their files, so that every refusal can name both the right one and the subject.

    Args:
        bval, bvec: files of b-values and of vectors; the same where one file holds both.
        subject: identifier for messages.
        b: b-values in s/mm^2, ``(N,)``.
        vectors: ``(N, 3)``.
    """

    bval: str | os.PathLike[str]
    bvec: str | os.PathLike[str]
    subject: str
    b: NDArray[np.float64]
    vectors: NDArray[np.float64]

    def error(
        self, file: object, problem: str, found: object, expected: object, remedy: str = "correct the gradient table"
    ) -> GradientError:
        """Error about one of the files."""
        return GradientError(problem, file=file, subject=self.subject, found=found, expected=expected, remedy=remedy)

    def check_entries(self, volumes: int | None) -> None:
        """Refuse counts that differ and numbers that are not finite.

        Args:
            volumes: number of volumes of the image, if known.

        Raises:
            GradientError: naming the counts, or the file and the volumes.
        """
        self._check_counts(volumes)
        self._check_finite()

    def check_directions(self, b0_threshold: float) -> None:
        """Refuse weighted volumes without a direction.

        Args:
            b0_threshold: largest b-value that counts as unweighted, s/mm^2.

        Raises:
            GradientError: naming the volumes.
        """
        zero: NDArray[Any] = (self.b > b0_threshold) & ~self.vectors.any(1)
        if zero.any():
            problem = "weighted volumes with a zero vector"
            raise self.error(self.bvec, problem, f"volume {_numbers(zero)}", "a unit vector each")

    def check_size(self) -> None:
        """Refuse b-values that are negative, or larger than any scanner's.

        Raises:
            GradientError: naming the b-value, s/mm^2.
        """
        largest, smallest = self.b.max(), self.b.min()
        if smallest < 0:
            found = f"{smallest:g} in volume {_numbers(np.asarray(self.b < 0))}"
            raise self.error(self.bval, "negative b-values", found, "0 or more s/mm^2")
        if largest > _LARGEST:
            raise self.error(self.bval, "b-values in wrong units", f"largest b = {largest:g}", "s/mm^2")

    def check_bvalues(self, b0_threshold: float) -> None:
        """Refuse negative b-values, a wrong unit, only b = 0, or no b = 0.

        Args:
            b0_threshold: largest b-value that counts as unweighted, s/mm^2.

        Raises:
            GradientError: naming the file and the b-value.
        """
        self.check_size()
        largest, smallest = self.b.max(), self.b.min()
        if 0 < largest < _SMALL_UNITS:
            remedy = "multiply b-values in ms/um^2 by 1000"
            raise self.error(self.bval, "b-values in wrong units", f"largest b = {largest:g}", "s/mm^2", remedy)
        if largest <= b0_threshold:
            raise self.error(
                self.bval,
                "no diffusion-weighted volume",
                f"largest b = {largest:g}",
                f"b above {b0_threshold:g} s/mm^2",
                "check that the table belongs to this series",
            )
        if smallest > b0_threshold:
            raise self.error(
                self.bval,
                "no b = 0 volume",
                f"smallest b = {smallest:g}",
                f"a volume with b of at most {b0_threshold:g} s/mm^2",
                "add the b = 0 image, or raise b0_threshold",
            )

    def _check_counts(self, volumes: int | None) -> None:
        if len({len(self.b), len(self.vectors), len(self.vectors) if volumes is None else volumes}) > 1:
            image = "" if volumes is None else f"{volumes} volumes, "
            raise self.error(
                self.bval,
                "numbers of volumes, b-values and vectors differ",
                f"{image}{len(self.b)} b-values, {len(self.vectors)} vectors",
                "equal numbers",
                "check that image and gradients are of the same series",
            )

    def _check_finite(self) -> None:
        for file, rows in ((self.bval, self.b[:, None]), (self.bvec, self.vectors)):
            bad = np.asarray(~np.isfinite(rows).all(1))
            if bad.any():
                remedy = "write 0 0 0 for the vector of b = 0" if rows is self.vectors else "correct the gradient table"
                found = f"in volume {_numbers(bad)}"
                raise self.error(file, "NaN or infinite entries", found, "finite numbers", remedy)


def unit_vectors(vectors: NDArray[np.float64], weighted: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Vectors of unit length where weighted, else zero.

    Args:
        vectors: ``(N, 3)``, not zero where weighted.
        weighted: which volumes are, ``(N,)`` bool.

    Returns:
        The vectors, and a note where they were not of unit length.
    """
    norms = np.linalg.norm(vectors, axis=1)
    unit = np.where(weighted[:, None], vectors / np.where(weighted, norms, 1)[:, None], 0.0)
    worst = float(abs(norms - 1)[weighted].max(initial=0))
    note = f"vectors renormalized, norms deviated from 1 by up to {100 * worst:.2g} %"
    return unit, (note,) if worst > _EXACT else ()


def _numbers(bad: NDArray[Any]) -> str:
    """Numbers of the first few volumes concerned ``(N,)``, counted from 0."""
    index = np.flatnonzero(bad)
    more = f" and {len(index) - _SHOWN} more" if len(index) > _SHOWN else ""
    return ", ".join(map(str, index[:_SHOWN])) + more
