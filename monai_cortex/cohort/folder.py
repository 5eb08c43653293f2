"""What lies where in the output folder of a cohort."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from tempfile import TemporaryFile

from monai_cortex.data import full_disk_named
from monai_cortex.errors import ConfigError, ResourceError

__all__ = ["CohortFolder"]

_HIDDEN = ".cohort"
_PROBE = 4 << 20  # bytes that must find room before anything is computed
_LONGEST = 180  # bytes of a subject's name in the name of a file beside its folder
_TAKEN = {"reports", "group", "samples", "mlruns", "mlruns.db", "journal.jsonl"}
_TAKEN |= {"report.html", "report.json", "report.csv"}


class CohortFolder:
    """Paths of a cohort: results and reports in plain sight, what a rerun needs below ``.cohort``.

    Args:
        path: of the output folder.

    Attributes:
        journal: what has happened, one JSON object a line.
        settings: what the results were computed with, one file for each set of settings.
        lock: held for an instant by whoever changes claims or records.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        hidden = self.path / _HIDDEN
        self.journal, self.settings, self.lock = self.path / "journal.jsonl", hidden / "settings", hidden / "lock"
        self.records, self.claims, self.work = hidden / "records", hidden / "claims", hidden / "work"

    def prepare(self) -> None:
        """Make the folders, and write as much as a small result to see that it can be done.

        Raises:
            ConfigError: the folder cannot be made or written to.
            ResourceError: the disk or the quota is full.
        """
        try:
            for folder in (self.settings, self.records, self.claims, self.work, self.path / "reports"):
                folder.mkdir(parents=True, exist_ok=True)
            # A file without a name: a kill leaves nothing.
            with full_disk_named(self.work), TemporaryFile(dir=self.work) as probe:
                probe.write(os.urandom(_PROBE))
                probe.flush()
                os.fsync(probe.fileno())
        except ResourceError:
            raise
        except OSError as error:
            raise ConfigError(
                "the output folder cannot be written to",
                file=self.path,
                found=error.strerror or error,
                expected="a folder that can be written to, or can be made",
                remedy="name another output folder, or mend its permissions",
            ) from error

    def results(self, subject: str) -> Path:
        """Folder of a subject's results."""
        return self.path / subject

    def report(self, subject: str) -> Path:
        """Page about one subject."""
        return self.path / "reports" / f"{_short(subject)}.html"

    def crash(self, subject: str) -> Path:
        """Why a subject has failed, as text."""
        return self.path / f"crash-{_short(subject)}.txt"

    def record(self, subject: str) -> Path:
        """What is known of a subject, whether it succeeded or not."""
        return self.records / f"{_key(subject)}.json"

    def claim(self, subject: str) -> Path:
        """Sign of the process that is at a subject."""
        return self.claims / f"{_key(subject)}.json"

    def require_free_name(self, subject: str) -> None:
        """Refuse a subject whose results would have the name of something else.

        Raises:
            ConfigError: the name is taken.
        """
        crash = subject.startswith("crash-") and subject.endswith(".txt")
        if subject in _TAKEN or subject.startswith(".") or crash:
            raise ConfigError(
                "a subject has the name of a part of the output folder",
                subject=subject,
                found=subject,
                expected="another name",
                remedy="rename the subject's folder",
            )

    def clear_leftovers(self) -> None:
        """Remove what killed processes have left half-written; only while no other one is at work here."""
        for place in (self.path, self.path / "reports", self.records, self.settings, self.work):
            for name in place.glob(".*.partial*"):
                shutil.rmtree(name, ignore_errors=True) if name.is_dir() else name.unlink(missing_ok=True)


def _key(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:24]


def _short(subject: str) -> str:
    # A folder's name may be as long as the disk allows; with an ending it must be shorter.
    if len(subject.encode()) <= _LONGEST:
        return subject
    return f"{subject[: _LONGEST // 6]}-{_key(subject)}"
