"""A bundle's inference for rows of file names, as MLflow passes them to a registered model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.cohort.crash import root_error
from monai_cortex.cohort.method_session import MethodSession, Setup
from monai_cortex.data import atomic_folder
from monai_cortex.errors import ConfigError

__all__ = ["run_rows"]


def run_rows(bundle_root: Path, rows: Sequence[Mapping[str, str]], changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compute the subjects of each row, one after the other; one that fails costs no other.

    Args:
        bundle_root: folder of the bundle.
        rows: each with ``dataset_dir``, ``output_dir``, and ``subject`` where only that one is to be done.
        changes: values of the config by id.

    Returns:
        For each subject ``subject``, ``status`` (done or failed), ``files`` relative to ``output_dir``, and why it has
        failed under ``message``. A row whose data cannot be read has one line without a subject.
    """
    return [line for row in rows for line in _run_row(bundle_root, row, changes)]


def _run_row(bundle_root: Path, row: Mapping[str, str], changes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    subject = row.get("subject", "")
    try:
        output = _folder(row, "output_dir")
        places = {"bundle_root": str(bundle_root), "dataset_dir": str(_folder(row, "dataset_dir"))}
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=output) as work:
            config = str(bundle_root / "configs" / "inference.json")
            session = MethodSession(Setup([config], {**changes, **places, "output_dir": f"{work}/run"}))
            for name in [subject] if subject else session.subjects:
                yield _run_subject(session, name, Path(work, "run"), output)
    except Exception as error:  # whatever it is, the other rows go on
        yield _line(subject, error)


def _run_subject(session: MethodSession, subject: str, work: Path, output: Path) -> dict[str, Any]:
    try:
        session.run(subject)
        with atomic_folder(output / subject) as staging:
            for path in (work / subject).iterdir():
                os.replace(path, staging / path.name)
    except Exception as error:
        return _line(subject, error)
    files = sorted(path.relative_to(output).as_posix() for path in (output / subject).rglob("*") if path.is_file())
    return {"subject": subject, "status": "done", "files": files, "message": ""}


def _line(subject: str, error: Exception) -> dict[str, Any]:
    known = root_error(error)
    return {"subject": subject, "status": "failed", "files": [], "message": f"{type(known).__name__}: {known}"}


def _folder(row: Mapping[str, str], column: str) -> Path:
    """An absolute path, which no config takes for an expression."""
    if not row.get(column):
        raise ConfigError(f"a row names no {column}", expected="a folder")
    return Path(row[column]).absolute()
