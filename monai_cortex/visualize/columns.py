"""Columns of numbers as the readers of a table want them: one column, one number of decimals."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

__all__ = ["column_text", "is_numeric"]

_MISSING = "n/a"
_MOST_DECIMALS = 5
# A number that was already written, with its spread if it has one; whole numbers in text are mostly identifiers.
_WRITTEN = re.compile(r"[-+−]?[\d,]*\.\d+( ± [\d.,]+)?")


def column_text(values: Sequence[object]) -> list[str]:
    """Write the values of one column.

    Args:
        values: integers are written in full; other numbers with the decimals that show three digits of the largest
            and two of the smallest; None and what is not finite as n/a; truth as yes or no; the rest as it is.

    Returns:
        One text per value.
    """
    numbers = [value for value in values if _is_number(value)]
    decimals = 0 if all(isinstance(value, Integral) for value in numbers) else _decimals([float(v) for v in numbers])
    return [_cell(value, decimals) for value in values]


def is_numeric(values: Sequence[object]) -> bool:
    """Whether a column holds nothing but numbers, decimal numbers in text and missing values, and not only these."""
    present = [value for value in values if value is not None]
    return bool(present) and all(_is_number(value) or _WRITTEN.fullmatch(str(value)) for value in present)


def _is_number(value: object) -> TypeGuard[Real]:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _decimals(numbers: Sequence[float]) -> int:
    sizes = [abs(number) for number in numbers if number and math.isfinite(number)]
    if not sizes:
        return 1
    wanted = max(2 - math.floor(math.log10(max(sizes))), 1 - math.floor(math.log10(min(sizes))))
    return min(max(wanted, 0), _MOST_DECIMALS)


def _cell(value: object, decimals: int) -> str:
    if value is None:
        return _MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not _is_number(value):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return _MISSING
    if number and abs(number) < 10.0**-_MOST_DECIMALS:
        return f"{number:.1e}"
    return f"{number:,.{decimals}f}"
