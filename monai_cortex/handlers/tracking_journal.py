"""What a run could not tell its tracker, in a file beside its results."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["TrackingJournal", "journals", "public_store", "read_journal"]

_log = logging.getLogger(__name__)
_FOLDER = "tracking_journal"
_SERVER = re.compile(r"https?://[^@]*")


class TrackingJournal:
    """Append entries to ``tracking_journal/<run>.jsonl``; there is no file before the first one.

    Args:
        output_dir: of the run.
        run: ``name``, ``experiment``, ``tags``, ``started`` and ``store`` of the run, its first line.
    """

    def __init__(self, output_dir: Path, run: Mapping[str, Any]) -> None:
        self.path = output_dir / _FOLDER / f"{run['name']}.jsonl"
        self.run = dict(run)

    def append(self, entry: Mapping[str, Any], run_id: str | None) -> None:
        """Add an entry; one that cannot be written is lost with a warning, since the run goes before its record.

        Args:
            entry: see :mod:`monai_cortex.handlers.tracking_entries`.
            run_id: of the run in the store, if it has got that far.
        """
        lines = [entry] if self.path.exists() else [{"kind": "run", **self.run, "run_id": run_id}, entry]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{json.dumps(line)}\n" for line in lines))
        except OSError as error:
            _log.warning("an entry for the tracker is lost: %s", error.strerror)


def journals(output_dir: Path) -> list[Path]:
    """Journals of an output folder, sorted by the names of their runs."""
    return sorted((output_dir / _FOLDER).glob("*.jsonl"))


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run and its entries; a line that a kill has cut off is left out.

    Args:
        path: of a journal.
    """
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            _log.warning("%s: a line that was cut off is left out", path.name)
    run: dict[str, Any] = next((line for line in lines if line["kind"] == "run"), {})
    return run, [line for line in lines if line["kind"] != "run"]


def public_store(uri: str, own: str) -> str | None:
    """What may be written down of a store's address.

    Args:
        uri: of the store.
        own: that of the database in the output folder.

    Returns:
        None for that one, a server's address, or an empty text for all that may hold a path or a password.
    """
    return None if uri == own else uri if _SERVER.fullmatch(uri) else ""
