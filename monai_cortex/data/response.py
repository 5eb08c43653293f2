"""Response functions as MRtrix3 writes them: text, one row of zonal harmonic coefficients for each shell."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError

from .atomic import atomic_path
from .text_table import read_table

__all__ = ["Response", "read_response", "write_response"]

_SHELLS = "shells:"


class Response(NamedTuple):
    """Signal of one fiber along z, or of isotropic tissue, on S shells.

    Args:
        coefficients: zonal, degrees 0, 2, 4, ..., in the unit of the signal, ``(S, n)``; n = 1 for isotropic tissue.
        shells: b-value of each row in s/mm^2, ``(S,)``; None where the file does not say.
    """

    coefficients: NDArray[np.float64]
    shells: NDArray[np.float64] | None = None


def read_response(path: str | os.PathLike[str], subject: str = "") -> Response:
    """Read a response; rows stay as they are in the file, with or without one for b = 0.

    Args:
        path: text file; a comment ``# Shells: 0,1000`` names the b-value of each row.
        subject: identifier for messages.

    Raises:
        InputFileError: missing, no table of finite numbers, or rows and shells differ in number.
    """
    rows, comments = read_table(path, InputFileError, subject)
    coefficients = np.array(rows)
    if not np.isfinite(coefficients).all():
        raise InputFileError(
            "the response holds NaN or infinite coefficients",
            file=path,
            subject=subject,
            found=f"{int((~np.isfinite(coefficients)).sum())} of {coefficients.size}",
            expected="finite numbers",
            remedy="estimate the response again",
        )
    return Response(coefficients, _shells(comments, len(rows), path, subject))


def write_response(path: str | os.PathLike[str], response: Response) -> None:
    """Write a response atomically, its shells as a comment; numbers read back as they are."""
    lines = [] if response.shells is None else [f"# Shells: {','.join(f'{b:.12g}' for b in response.shells)}"]
    lines += [" ".join(repr(float(number)) for number in row) for row in response.coefficients]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shells(comments: list[str], rows: int, path: object, subject: str) -> NDArray[np.float64] | None:
    texts = [line[len(_SHELLS) :] for line in comments if line.lower().startswith(_SHELLS)]
    if not texts:
        return None
    try:
        shells = np.array([float(word) for word in texts[-1].replace(",", " ").split()])
    except ValueError:
        shells = np.empty(0)
    if len(shells) != rows:
        raise InputFileError(
            "the response has another number of rows than shells",
            file=path,
            subject=subject,
            found=f"{rows} rows, shells {texts[-1].strip()}",
            expected="one row for each shell",
            remedy="estimate the response again, or correct its comment",
        )
    return shells
