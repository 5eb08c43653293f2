"""A measurement as a record for machines and a page for people, side by side in docs/evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monai_cortex.data import write_json

__all__ = ["EVIDENCE", "write_evidence"]

EVIDENCE = Path(__file__).resolve().parents[2] / "docs" / "evidence"


def write_evidence(
    name: str,
    record: Mapping[str, Any],
    lines: Sequence[str],
    packages: Sequence[str] = ("monai", "torch", "dipy", "numpy"),
    folder: Path = EVIDENCE,
) -> str:
    """Write ``name.json`` and ``name.md``.

    Args:
        name: of both files.
        record: what was measured, with the ``command`` that measures it.
        lines: of the page, without its end, which says command, day and versions.
        packages: that the numbers depend on, besides this one.
        folder: where to write.

    Returns:
        The page.
    """
    versions = ", ".join(f"{package} {version(package)}" for package in ("monai_cortex", *packages))
    end = f"Command: `{record['command']}`. Measured {date.today().isoformat()} with {versions}."
    page = "\n".join([*lines, "", end, ""])
    write_json(folder / f"{name}.json", record)
    (folder / f"{name}.md").write_text(page)
    return page
