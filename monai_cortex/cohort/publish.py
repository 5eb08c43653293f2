"""Complete results under their final name, with a record of what they were made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.settings import Settings
from monai_cortex.cohort.stamps import Digest, Stamp, digests, stamps_of
from monai_cortex.cohort.states import DONE_RECORD, read_record
from monai_cortex.data import atomic_folder, atomic_path, write_json

__all__ = ["note_done", "note_failed", "publish_results"]

_METRICS = "metrics.json"
_SECONDS = "_s"


def publish_results(
    folder: CohortFolder, subject: str, work: Path, settings: Settings, inputs: Mapping[str, Digest]
) -> dict[str, float]:
    """Move a subject's results from a work folder of the same disk to their final place, all at once.

    Times leave ``metrics.json``, so that equal inputs give equal bytes. ``done.json`` holds the digests of inputs and
    outputs and of the settings. The page about the subject goes to ``reports``.

    Args:
        folder: of the cohort.
        subject: identifier.
        work: output folder of the run over this one subject.
        settings: of the run.
        inputs: digests of the files that went in.

    Returns:
        The times in seconds, by name.

    Raises:
        ResourceError: the disk is full.
    """
    results = work / subject
    times = _take_times(results / _METRICS)
    outputs = digests({path.relative_to(results).as_posix(): path for path in _files(results)})
    record = {"subject": subject, "settings": settings.digest, "inputs": dict(inputs), "outputs": outputs}
    if (page := work / "report.html").is_file():
        with atomic_path(folder.report(subject)) as temporary:
            os.replace(page, temporary)
    with atomic_folder(folder.results(subject)) as staging:
        for path in results.iterdir():
            os.replace(path, staging / path.name)
        write_json(staging / DONE_RECORD, record)
    return times


def note_done(
    folder: CohortFolder, subject: str, stamps: Mapping[str, Stamp | None], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Record that a subject is done, with the stamps by which a rerun sees at once that nothing has changed.

    Args:
        folder: of the cohort.
        subject: identifier.
        stamps: of its input files by name, from before they were read.
        facts: about its computation: seconds, peak memory, warnings and the like.
    """
    place = folder.results(subject)
    done = read_record(place / DONE_RECORD)
    record = {
        **facts,
        "subject": subject,
        "status": "done",
        "metrics": _numbers(read_record(place / _METRICS)),
        "done": done,
        "input_stamps": dict(stamps),
        "output_stamps": stamps_of({name: place / name for name in done["outputs"]}),
    }
    write_json(folder.record(subject), record)
    folder.crash(subject).unlink(missing_ok=True)
    return record


def note_failed(folder: CohortFolder, subject: str, crash: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Record that a subject has failed, and write why.

    Args:
        folder: of the cohort.
        subject: identifier.
        crash: text of its crash file.
        facts: about its computation; ``error`` is the message.
    """
    with atomic_path(folder.crash(subject)) as temporary:
        temporary.write_text(crash, encoding="utf-8")
    record = {**facts, "subject": subject, "status": "failed"}
    write_json(folder.record(subject), record)
    return record


def _take_times(path: Path) -> dict[str, float]:
    metrics = read_record(path)
    times = {
        name: value for name, value in metrics.items() if name.endswith(_SECONDS) and isinstance(value, float | int)
    }
    if times:
        write_json(path, {name: value for name, value in metrics.items() if name not in times})
    return times


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value for name, value in metrics.items() if isinstance(value, float | int) and not isinstance(value, bool)
    }
