"""Signs that say which process is at which subject, so that several can share a cohort."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.lock import exclusive
from monai_cortex.cohort.states import read_record
from monai_cortex.handlers.privacy import host_name
from monai_cortex.handlers.stale_runs import is_alive

__all__ = ["Claims"]

_PATIENCE = 600.0  # seconds without a sign of life after which a process on another machine counts as dead
_BEAT = 30.0


class Claims:
    """The claims of this process on subjects of a cohort.

    A claim of a process of this machine that no longer runs is void; one of another machine is, when nobody has renewed
    it for ten minutes.

    Args:
        folder: of the cohort, prepared.

    Attributes:
        work: folder of this process, for what is not complete yet.
    """

    def __init__(self, folder: CohortFolder) -> None:
        self._folder = folder
        self._owner = {"host": host_name(), "pid": os.getpid(), "started": _start_of(os.getpid())}
        self._claimed: Path | None = None
        self.work = folder.work / "-".join(map(str, self._owner.values()))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a folder for work, and keep the claims alive meanwhile; what dead processes left is removed first."""
        with exclusive(self._folder.lock):
            self._bury_the_dead()
            self.work.mkdir(parents=True, exist_ok=True)
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(over,), daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()
            self.release()
            shutil.rmtree(self.work, ignore_errors=True)

    def take(self, subject: str) -> bool:
        """Claim a subject; False if another process is at it."""
        path = self._folder.claim(subject)
        with exclusive(self._folder.lock):
            if _is_valid(path, self._owner):
                return False
            path.write_text(json.dumps(self._owner), encoding="utf-8")
            self._claimed = path
        return True

    def release(self) -> None:
        """Give the claimed subject back."""
        if self._claimed is not None:
            self._claimed.unlink(missing_ok=True)
            self._claimed = None

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(_BEAT):
            for path in (self._claimed, self.work):
                with suppress(OSError):
                    os.utime(path) if path else None

    def _bury_the_dead(self) -> None:
        living = 0
        for place in self._folder.work.iterdir():
            host, _, rest = place.name.partition("-")
            pid, _, started = rest.partition("-")
            owner = {"host": host, "pid": int(pid) if pid.isdigit() else 0, "started": started}
            if _lives(owner, _age(place)):
                living += 1
            else:
                shutil.rmtree(place, ignore_errors=True)
                place.unlink(missing_ok=True) if place.is_file() else None
        if not living:
            self._folder.clear_leftovers()


def _is_valid(path: Path, own: dict[str, Any]) -> bool:
    """Whether a claim is there, is not our own, and its process lives."""
    owner = read_record(path)
    whole = owner.keys() == own.keys()  # one may be cut off by a crash of the machine
    return whole and owner != own and _lives(owner, _age(path))


def _lives(owner: dict[str, Any], age: float) -> bool:
    if owner["host"] != host_name():
        return age < _PATIENCE
    pid = owner["pid"]
    return _start_of(pid) == owner["started"] != ""


def _start_of(pid: int) -> str:
    """When a process has started, in the system's own clock; "" where it does not run. Numbers alone are reused."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return "running" if not Path("/proc/self/stat").exists() and is_alive(str(pid)) else ""


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
