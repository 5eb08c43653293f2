"""How a page was measured: the table at its end, and the numbers that others may repeat.

`pages.json` says of each page what its data, seeds, intervals and peers are, what the paper reports, by which words the
command is called in full and in the quick form, and where in the record the numbers stand that documents speak of.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from subject_statistics import mean_interval

__all__ = ["PAGES", "facts", "numbers", "values_at"]

PAGES: Mapping[str, Mapping[str, Any]] = json.loads((Path(__file__).parent / "pages.json").read_text())
_ROWS = ("data", "seeds", "interval", "peers", "published")


def values_at(record: Any, path: str) -> list[float]:
    """Numbers of a record at a path such as ``rows/method=network/dice``; none where it leads nowhere.

    Args:
        record: as read from JSON.
        path: keys; ``*`` takes all, ``key=value`` keeps those rows of a list.
    """
    if not path:
        return [float(record)] if isinstance(record, (int, float)) and not isinstance(record, bool) else []
    step, _, rest = path.partition("/")
    if isinstance(record, list):
        key, is_filter, wanted = step.partition("=")
        if is_filter:
            kept = [row for row in record if str(row.get(key)) == wanted]
            # The next filter looks at the same rows, anything else into each of them.
            return values_at(kept, rest if "=" in rest.partition("/")[0] else f"*/{rest}")
        return [value for row in record for value in values_at(row, rest)] if step == "*" else []
    return values_at(record[step], rest) if isinstance(record, dict) and step in record else []


def numbers(name: str, record: Mapping[str, Any]) -> dict[str, list[float]]:
    """Values of each number that a page is quoted for; of those called largest, the largest alone.

    Args:
        name: of the page.
        record: what was measured.
    """
    found = {label: values_at(record, path) for label, path in PAGES[name]["numbers"].items()}
    return {
        label: [max(values)] if values and label.startswith("largest") else values for label, values in found.items()
    }


def facts(name: str, record: Mapping[str, Any]) -> list[str]:
    """Lines of the tables at the end of a page.

    Args:
        name: of the page.
        record: what was measured, with ``command``, ``date`` and ``versions``.
    """
    page = PAGES[name]
    versions = ", ".join(f"{package} {number}" for package, number in record["versions"].items())
    machine = (
        f"{record['device']}, {record['threads']} of {record['processors']} processors; " if "device" in record else ""
    )
    rows = [("command", f"`{record['command']}`"), *((row, page[row]) for row in _ROWS)]
    rows += [("versions", f"{machine}{versions}"), ("date", record["date"])]
    lines = [
        "## How it was measured",
        "",
        "| what | how |",
        "|---|---|",
        *(f"| {what} | {how} |" for what, how in rows),
    ]
    quoted = [_row(label, values) for label, values in numbers(name, record).items() if values]
    if not quoted:
        return lines
    return [*lines, "", "| number | mean | 95 % interval | values |", "|---|---|---|---|", *quoted]


def _row(label: str, values: Sequence[float]) -> str:
    mean, half = mean_interval([{"value": value} for value in values], "value")
    interval = "none" if math.isnan(half) else f"{mean - half:.4g} to {mean + half:.4g}"
    return f"| {label} | {mean:.4g} | {interval} | {len(values)} |"
