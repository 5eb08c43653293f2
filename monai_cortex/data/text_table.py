"""Tables of numbers in text files: gradients and responses."""

from __future__ import annotations

import os
import re

from monai_cortex.errors import CortexError

from .input_file import read_text

__all__ = ["read_table"]


def read_table(
    path: str | os.PathLike[str], kind: type[CortexError], subject: str = ""
) -> tuple[list[list[float]], list[str]]:
    """Rows of numbers ``(rows, columns)``, which blanks, tabs or commas separate, and the comments without their ``#``.

    Args:
        path: UTF-8 text file.
        kind: class of the errors that the content raises.
        subject: identifier for messages.

    Raises:
        InputFileError: the file is missing or no text.
        CortexError: of the given kind, for an empty file, words, rows of different lengths, or no rows.
    """
    empty = os.path.isfile(path) and not os.path.getsize(path)
    lines = [] if empty else [line.strip() for line in read_text(path, subject).splitlines()]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            rows.append(_numbers(line, number, not rows, kind, path, subject))
    if not rows:
        raise kind(
            "the table is empty",
            file=path,
            subject=subject,
            found="no row of numbers",
            expected="numbers",
            remedy="export the table again",
        )
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise kind(
            "the table is ragged",
            file=path,
            subject=subject,
            found=f"rows of {', '.join(map(str, lengths))} numbers",
            expected="rows of equal length",
            remedy="mend the rows that are too short or too long",
        )
    return rows, comments


def _numbers(  # noqa: PLR0913
    line: str, number: int, first: bool, kind: type[CortexError], path: object, subject: str
) -> list[float]:
    try:
        return [float(word) for word in re.split(r"[,\s]+", line.strip(", \t"))]
    except ValueError as error:
        raise kind(
            "the table starts with a header row" if first else "the table holds a word instead of a number",
            file=path,
            subject=subject,
            found=f"line {number}: {line[:60]!r}",
            expected="numbers only; remarks start with #",
            remedy="remove the row of names" if first else "correct the line",
        ) from error
