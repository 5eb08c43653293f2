"""Subjects' numbers as tables for people: one row a quantity, with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_cortex.visualize import Table

__all__ = ["heading", "side_by_side", "subject_table"]

_UNITS = {
    "_s_per_mm2": "s/mm\u00b2",
    "_percent": "%",
    "_degree": "degree",
    "_mm": "mm",
    "_ml": "ml",
    "_voxels": "voxels",
    "_s": "s",
}


def heading(name: str) -> str:
    """Name with its unit in brackets: ``residual_percent`` is "residual [%]"."""
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} [{unit}]"
    return name.replace("_", " ")


def subject_table(subjects: Sequence[Mapping[str, Any]]) -> Table:
    """Numbers of subjects, one column a subject.

    Args:
        subjects: what is known of each; what is no number is left out.
    """
    names = dict.fromkeys(name for row in subjects for name in row)
    numbers = [name for name in names if any(_is_number(row.get(name)) for row in subjects)]
    rows = [[heading(name), *(_number(row.get(name)) for row in subjects)] for name in numbers]
    return Table(["quantity", *(row["subject"] for row in subjects)], rows)


def side_by_side(subject: Mapping[str, Any], columns: Mapping[str, str]) -> list[Table]:
    """Numbers of one subject, those of one quantity in one row.

    Args:
        subject: what is known of it; what is no number is left out.
        columns: prefixes of names by heading; the longest that fits is a name's own, "" fits all.

    Returns:
        A table of the quantities that several columns have, and one of the rest, whichever is not empty.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in subject.items():
        prefix = max((prefix for prefix in columns.values() if name.startswith(prefix)), key=len, default="")
        if _is_number(value):
            found.setdefault(name.removeprefix(prefix), {})[prefix] = value
    shared = {name: values for name, values in found.items() if len(values) > 1}
    filled = {name: prefix for name, prefix in columns.items() if any(prefix in values for values in shared.values())}
    rows = [
        [heading(name), *(_number(values.get(place)) for place in filled.values())] for name, values in shared.items()
    ]
    alone = {
        prefix + name: value for name, values in found.items() if name not in shared for prefix, value in values.items()
    }
    tables = [Table(["quantity", *filled], rows)] if rows else []
    return [*tables, *([subject_table([{"subject": subject["subject"], **alone}])] if alone else [])]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
