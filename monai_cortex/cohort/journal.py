"""What has happened to a cohort, one JSON object a line; nothing is ever changed, lines are only added."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_cortex.cohort.lock import locked

__all__ = ["append", "read_journal"]


def append(path: str | os.PathLike[str], event: str, **facts: Any) -> None:
    """Add a line, and see to it that it is on the disk.

    Several processes may write at once. A line that a killed one has left unfinished stays; the next begins anew.

    Args:
        path: of the journal.
        event: what has happened.
        facts: about it; anything that JSON can hold.
    """
    line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, ensure_ascii=False).encode() + b"\n"
    with open(path, "a+b") as stream, locked(stream):
        stream.seek(0, os.SEEK_END)
        if stream.tell() and _last_byte(stream) != b"\n":
            line = b"\n" + line
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read_journal(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The lines in the order in which they were written; unfinished ones are left out.

    Args:
        path: of the journal; a missing one is empty.
    """
    if not Path(path).is_file():
        return
    with open(path, "rb") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def _last_byte(stream: Any) -> bytes:
    stream.seek(-1, os.SEEK_END)
    last: bytes = stream.read(1)
    return last
