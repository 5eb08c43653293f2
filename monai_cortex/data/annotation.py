"""FreeSurfer's annotations: which region each vertex of a surface belongs to."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binary_file import BinaryFile
from .named_file import NamedFile

__all__ = ["Annotation", "read_annotation"]

_log = logging.getLogger(__name__)
_MIXED_UP = "check that the files of the subject were not mixed up"
_NEW_FORMAT = -2
# More regions than any atlas has; the table of colors is allocated by this number.
_REGIONS = 1 << 16


class Annotation(NamedTuple):
    """Regions of a surface.

    Attributes:
        labels: index of each vertex's region in ``names``, ``(V,)``; -1 where it belongs to none.
        names: of the R regions; "" where the file's table has a gap.
        colors: red, green, blue and transparency from 0 to 255, and the number that the file marks vertices with,
            ``(R, 5)``.
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    colors: NDArray[np.int64]


def read_annotation(path: str | os.PathLike[str], vertices: int, subject: str = "") -> Annotation:
    """Read an annotation such as ``lh.aparc.annot``, in either format of its color table.

    Vertices whose number is not in the color table belong to no region; they are counted in the log.

    Args:
        path: of the file.
        vertices: number of vertices of the surface that the labels belong to.
        subject: identifier for messages.

    Returns:
        Labels ``(V,)`` and what they stand for.

    Raises:
        InputFileError: missing, truncated, of another surface, without color table, or another kind of file; or all
            of its numbers are strange to the table.
    """
    with BinaryFile(path, "annotation", subject) as file:
        numbers = _vertex_numbers(file, vertices)
        names, colors = _color_table(file)
    order = np.argsort(colors[:, 4], kind="stable")
    place = np.searchsorted(colors[order, 4], numbers).clip(max=len(order) - 1)
    labels = order[place]
    # Zero is how FreeSurfer marks a vertex without region; black entries and gaps of the table have it too.
    known = (colors[labels, 4] == numbers) & (numbers != 0)
    strange = int((~known & (numbers != 0)).sum())
    if strange == len(numbers):
        NamedFile(path, subject).refuse(
            "no vertex of the annotation has a number of its color table",
            f"numbers from {numbers.min()} to {numbers.max()}",
            f"numbers such as {', '.join(map(str, colors[:6, 4].tolist()))}",
            "make the annotation again",
        )
    if strange:
        _log.warning("%s: %d vertices have a number that is not in the color table", Path(path).name, strange)
    return Annotation(np.where(known, labels, -1).astype(np.int64), names, colors)


def _vertex_numbers(file: BinaryFile, vertices: int) -> NDArray[np.int64]:
    count = file.number("count of vertices")
    if count != vertices:
        file.refuse(
            "not an annotation, or one of another surface",
            f"{count:,} labels in the header",
            f"{vertices:,} labels, one for each of the {vertices:,} vertices",
            _MIXED_UP,
        )
    pairs = file.numbers(">i4", 2 * count, "labels").reshape(-1, 2).astype(np.int64)
    numbers = np.empty(count, np.int64)
    if not np.array_equal(np.sort(pairs[:, 0]), np.arange(count)):
        file.refuse(
            "the annotation does not label each vertex once",
            f"{len(np.unique(pairs[:, 0])):,} different vertices, from {pairs[:, 0].min()} to {pairs[:, 0].max()}",
            f"each vertex from 0 to {count - 1}",
            "make the annotation again",
        )
    numbers[pairs[:, 0]] = pairs[:, 1]
    return numbers


def _color_table(file: BinaryFile) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if not file.left or not file.number("color table"):
        file.refuse(
            "the annotation has no color table, or is truncated before it",
            f"{file.size - file.left:,} of {file.size:,} bytes read",
            "the names and colors of the regions",
            "write the annotation with its color table",
        )
    version = file.number("color table")
    size = version if version > 0 else file.number("color table")
    if version not in (_NEW_FORMAT, size) or not 0 < size <= _REGIONS:
        file.refuse(
            "the annotation's color table is damaged, or of an unknown version",
            f"version {-version if version < 0 else 1}, {size} regions",
            f"version 1 or 2, 1 to {_REGIONS} regions",
            "write the annotation again",
        )
    file.content(file.number("color table"), "color table's own name")
    entries = size if version > 0 else file.number("color table")
    names, colors = [""] * size, np.zeros((size, 5), np.int64)
    for row in range(max(0, entries)):
        index = row if version > 0 else file.number("color table")
        if not 0 <= index < size:
            file.refuse("the annotation's color table is damaged", f"region {index}", f"0 to {size - 1}")
        text = file.content(file.number("name of a region"), "name of a region")
        names[index] = text.split(b"\0")[0].decode("utf-8", "replace")
        colors[index, :4] = file.numbers(">i4", 4, "color of a region")
        colors[index, 4] = colors[index, :3] @ [1, 1 << 8, 1 << 16]
    return tuple(names), colors
