"""Where sample data come from, written beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .atomic import sha256, write_json

__all__ = ["write_sample_record"]


def write_sample_record(folder: Path, record: Mapping[str, str]) -> None:
    """Write ``SOURCE.json``: the record, and the digest of each file below a folder.

    Args:
        folder: of the subject, its other files written.
        record: name, source, license, citation, content and orientation.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "SOURCE.json")
    digests = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    write_json(folder / "SOURCE.json", {**record, "sha256": digests})
