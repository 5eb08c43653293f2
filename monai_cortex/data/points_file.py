"""Points in space as tables of text."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .atomic import atomic_path
from .input_file import read_text
from .named_file import NamedFile
from .sidecar import write_sidecar

__all__ = ["PointTable", "read_points", "write_points"]

_AXES = ("x", "y", "z")


class PointTable(NamedTuple):
    """Points, and whatever else their table says of them.

    Args:
        header: names of the columns.
        rows: cells of each point, as text.
        points: mm, RAS+, ``(N, 3)`` float64.
    """

    header: list[str]
    rows: list[list[str]]
    points: Tensor


def read_points(path: str | os.PathLike[str], subject: str = "") -> PointTable:
    """Read a CSV file whose columns x, y and z are mm in RAS+; other columns are kept as they are.

    ANTs writes tables of the same look in LPS: turn the signs of x and y of such ones.

    Args:
        path: UTF-8 text, the first line with the names of the columns.
        subject: identifier for messages.

    Returns:
        The table, its points ``(N, 3)``.

    Raises:
        InputFileError: the file is missing or no text, a column is missing, or a coordinate is no finite number.
    """
    file = NamedFile(path, subject)
    lines = [row for row in csv.reader(io.StringIO(read_text(path, subject))) if row]
    header = [cell.strip() for cell in lines[0]] if lines else []
    names = [cell.lower() for cell in header]
    if any(names.count(axis) != 1 for axis in _AXES):
        file.refuse(
            "the table has no coordinates",
            f"columns {', '.join(header)}",
            "one column x, one y and one z",
            "name the columns in the first line",
        )
    places = [names.index(axis) for axis in _AXES]
    points = [_point(row, places, len(header), number, file) for number, row in enumerate(lines[1:], 2)]
    return PointTable(header, lines[1:], torch.tensor(points, dtype=torch.float64).reshape(-1, 3))


def write_points(path: str | os.PathLike[str], table: PointTable, sidecar: Mapping[str, Any] | None = None) -> None:
    """Write a table atomically: its points in the columns x, y and z, to 1e-6 mm, and its other cells as they are.

    Args:
        path: final name.
        table: with the points to write, mm, RAS+, ``(N, 3)``.
        sidecar: what to say of the points; the file's sha256 is added. None writes no record.

    Raises:
        ResourceError: the disk is full.
    """
    places = [[name.lower() for name in table.header].index(axis) for axis in _AXES]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    for row, point in zip(table.rows, table.points.tolist(), strict=True):
        cells = dict(zip(places, (f"{number:.6f}" for number in point), strict=True))
        writer.writerow([cells.get(place, cell) for place, cell in enumerate(row)])
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    if sidecar is not None:
        write_sidecar(path, sidecar)


def _point(row: list[str], places: list[int], count: int, number: int, file: NamedFile) -> list[float]:
    if len(row) != count:
        file.refuse(
            "the table is ragged",
            f"{len(row)} cells in line {number}",
            f"{count}, as in the first line",
            "mend the line",
        )
    try:
        point = [float(row[place]) for place in places]
    except ValueError:
        point = [math.nan]
    if not all(map(math.isfinite, point)):
        found = ", ".join(row[place] for place in places)
        file.refuse("a point has no place", f"{found} in line {number}", "three finite numbers in mm", "mend the line")
    return point
