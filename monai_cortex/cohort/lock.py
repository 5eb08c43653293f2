"""One process at a time, on one machine and on network file systems that know locks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["exclusive", "locked"]


@contextmanager
def locked(stream: IO[Any]) -> Iterator[None]:
    """Hold the lock of an open file; the system gives it back when the process ends, however it ends.

    Where the file system knows no locks, nothing is held: what is written under a lock here is atomic anyway.
    """
    held = fcntl is not None and _take(stream)
    try:
        yield
    finally:
        if held:
            fcntl.flock(stream, fcntl.LOCK_UN)


@contextmanager
def exclusive(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a file that is there for nothing else; it is made where it is missing."""
    with open(path, "ab") as stream, locked(stream):
        yield


def _take(stream: IO[Any]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
