"""Which subjects of a data set are asked for: by labels, or by a list in a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.cohort.request import CohortRequest
from monai_cortex.data.input_file import read_text
from monai_cortex.errors import ConfigError

__all__ = ["read_participants", "select_subjects"]

_COLUMN = "participant_id"
_PREFIX = "sub-"
_SHOWN = 5


def select_subjects(items: Mapping[str, Any], request: CohortRequest) -> list[str]:
    """The subjects of a request in the order of the data set: of its labels or its list, and of its shard.

    Args:
        items: of the data set by subject.
        request: names labels, file and shard.

    Raises:
        ConfigError: a label or a row of the list fits no subject, or a subject is listed twice.
    """
    wanted = set(items)
    if request.participants_file is not None:
        wanted &= _listed(items, request.participants_file)
    if request.labels:
        wanted &= _labeled(items, request.labels)
    return [subject for subject in items if subject in wanted and request.shard.holds(subject)]


def read_participants(path: Path) -> list[tuple[int, str]]:
    """Labels of a list with the numbers of their rows, from 1.

    Args:
        path: a table with a column ``participant_id``, separated by tabs or, as .csv, by commas; or one label a line.
            UTF-8, with or without a byte-order mark; empty rows and those that start with # are left out.

    Raises:
        InputFileError: the file is missing, empty or no text.
        ConfigError: it lists nobody.
    """
    text = read_text(path)
    comma = path.suffix.lower() == ".csv"
    rows = [row for row in csv.reader(text.splitlines(), delimiter="," if comma else "\t")]
    numbered = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(rows, 1)
        if row and any(map(str.strip, row))
    ]
    numbered = [(number, row) for number, row in numbered if not row[0].startswith("#")]
    column = 0
    if numbered and _COLUMN in numbered[0][1]:
        column = numbered.pop(0)[1].index(_COLUMN)
    found = [(number, row[column]) for number, row in numbered if len(row) > column and row[column]]
    if not found:
        raise ConfigError(
            "the list of participants is empty",
            file=path,
            found="no row with a label",
            expected=f"a column {_COLUMN}, or one label a line",
            remedy="add the subjects, or leave the option out",
        )
    return found


def _listed(items: Mapping[str, Any], path: Path) -> set[str]:
    rows = read_participants(path)
    first: dict[str, int] = {}
    twice, missing, wanted = [], [], set[str]()
    for number, label in rows:
        fits = _fitting(items, label)
        name = label.removeprefix(_PREFIX)
        if name in first:
            twice.append(f"row {number} repeats row {first[name]} ({label})")
        elif not fits:
            missing.append(f"row {number} ({label})")
        first.setdefault(name, number)
        wanted |= fits
    if twice:
        remedy = "remove the rows that repeat others"
        raise ConfigError(
            "subjects are listed twice", file=path, found=_some(twice), expected="each once", remedy=remedy
        )
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(rows)} listed subjects are not in the data set",
            file=path,
            found=_some(missing),
            expected=f"subjects such as {_some(list(items))}",
            remedy="correct or remove these rows, or get the missing files",
        )
    return wanted


def _labeled(items: Mapping[str, Any], labels: Sequence[str]) -> set[str]:
    fits = {label: _fitting(items, label) for label in labels}
    if unknown := [label for label, found in fits.items() if not found]:
        raise ConfigError(
            "no subject has the label",
            found=_some(unknown),
            expected=f"labels such as {_some(list(items))}",
            remedy="correct the label; it is the subject's folder, with or without sub-",
        )
    return set[str]().union(*fits.values())


def _fitting(items: Mapping[str, Any], label: str) -> set[str]:
    """Subjects of a label: of that name, or scans of that subject in BIDS."""
    bare = label.removeprefix(_PREFIX)
    exact = {name for name in (label, f"{_PREFIX}{bare}", bare) if name in items}
    if exact:
        return exact
    return {name for name in items if name.startswith(f"{_PREFIX}{bare}_")}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
