"""One training for an output folder."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

try:
    import fcntl
except ImportError:  # there are no such locks on Windows
    fcntl = None  # type: ignore[assignment]

from monai_cortex.errors import ResourceError
from monai_cortex.handlers.privacy import host_name

__all__ = ["output_lock"]

_log = logging.getLogger(__name__)
_NAME = ".training.lock"
_held: set[tuple[int, Path]] = set()


@contextmanager
def output_lock(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; the lock of a process that has died counts no more.

    The operating system ends a lock with its process. The file says who holds it, the machine as a hash, for locks that
    other machines do not see. A second lock by the same process changes nothing.

    Args:
        folder: is made.

    Raises:
        ResourceError: another process has it.
    """
    key = (os.getpid(), folder.absolute())
    if fcntl is None or key in _held:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _open(folder / _NAME)
    _held.add(key)
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"host": host_name(), "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        _held.discard(key)
        with suppress(FileNotFoundError):
            (folder / _NAME).unlink()
        os.close(descriptor)


def _open(path: Path) -> int:
    """The locked file; one that its last holder has removed in the meantime is opened anew."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # Not flock: the workers of a killed training would go on holding that one for some seconds.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                _require_ended(path, descriptor)
                return descriptor
        except OSError:
            holder = _holder(descriptor)
            os.close(descriptor)
            _refuse(path, f"process {holder.get('pid', 'unknown')} of this machine, still running")
        except ResourceError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _require_ended(path: Path, descriptor: int) -> None:
    holder = _holder(descriptor)
    if holder and holder.get("host") != host_name():
        _refuse(path, f"process {holder.get('pid')} of another machine", f"; if that has ended, remove {path.name}")
    if holder:
        _log.warning("%s: process %s has died; its lock is taken over", path.parent.name, holder.get("pid"))


def _holder(descriptor: int) -> dict[str, object]:
    try:
        content = json.loads(os.pread(descriptor, 1000, 0) or b"{}")
    except ValueError:  # its writer was killed
        return {}
    return content if isinstance(content, dict) else {}


def _refuse(path: Path, found: str, more: str = "") -> NoReturn:
    raise ResourceError(
        "another training writes into this folder",
        file=path,
        found=found,
        expected="one training for a folder",
        remedy=f"wait for it, or choose another output_dir{more}",
    )
