"""A measurement as a record for machines and a page for people, side by side in docs/evidence."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from page_facts import facts

from monai_cortex.data import write_json

__all__ = ["EVIDENCE", "IS_TRIAL", "write_evidence"]

_COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "evidence"
# The quick form of `make evidence` writes elsewhere; what is committed stays as it is.
EVIDENCE = Path(os.environ.get("MONAI_CORTEX_EVIDENCE", _COMMITTED)).resolve()
IS_TRIAL = EVIDENCE != _COMMITTED


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
        lines: of the page, without its end, which says how it was measured.
        packages: that the numbers depend on, besides this one.
        folder: where to write.

    Returns:
        The page.
    """
    versions = {package: version(package) for package in sorted(("monai_cortex", *packages))}
    record = {**record, "date": date.today().isoformat(), "versions": versions}
    trial = ["Quick form: fewer subjects and repetitions. The numbers of the documents are in docs/evidence.", ""]
    page = "\n".join([*lines, "", *(trial if IS_TRIAL else []), *facts(name, record), ""])
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{name}.json", record)
    (folder / f"{name}.md").write_text(page)
    return page
