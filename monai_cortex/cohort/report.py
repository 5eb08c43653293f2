"""The reports of a cohort, over all shards: for people, for programs, and as a table."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from monai_cortex import __version__
from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.request import CohortRequest
from monai_cortex.cohort.states import read_record
from monai_cortex.data import atomic_path, bundle_folder, read_metadata, write_json

__all__ = ["write_reports"]

_COLUMNS = ("subject", "status", "seconds", "peak_memory_mb", "peak_gpu_mb", "device", "shard", "warnings", "error")
_MESSAGES = 50  # failures that are shown in full; all are in the table and have their crash files
_FIRST_LINE = 160


def write_reports(folder: CohortFolder, subjects: Mapping[str, Any], request: CohortRequest) -> dict[str, float]:
    """Write ``report.json``, ``report.csv`` and ``report.html`` about all subjects, unless they are there.

    Args:
        folder: of the cohort.
        subjects: of the data set, whoever does them.
        request: of the run that writes.

    Returns:
        Counts ``subjects``, ``done``, ``failed`` and ``pending``, and of the done ``seconds_median`` and
        ``peak_memory_mb_max``.
    """
    rows = [_row(subject, read_record(folder.record(subject))) for subject in subjects]
    numbers = _numbers(rows)
    state = [[row["subject"], row["status"], row["finished"]] for row in rows]
    digest = hashlib.sha256(json.dumps([__version__, request.slug, state]).encode()).hexdigest()
    names = [folder.path / f"report.{kind}" for kind in ("html", "csv", "json")]
    if all(name.is_file() for name in names) and read_record(names[-1]).get("state") == digest:
        return numbers
    _write_table(names[1], rows)
    with atomic_path(names[0]) as path:
        path.write_text(_page(folder, rows, numbers, request), encoding="utf-8")
    head = {"method": request.slug, "monai_cortex": __version__, "counts": numbers, "state": digest}
    write_json(names[-1], head | {"subjects": rows})
    return numbers


def _row(subject: str, record: Mapping[str, Any]) -> dict[str, Any]:
    done = record.get("done") or {}
    inputs = done.get("inputs") or record.get("inputs") or {}
    return {
        "subject": subject,
        "status": record.get("status", "pending"),
        **{name: record.get(name) for name in ("seconds", "peak_memory_mb", "peak_gpu_mb", "device", "shard")},
        "warnings": list(record.get("warnings") or []),
        "error": record.get("error"),
        "inputs": {name: digest.get("sha256") for name, digest in inputs.items()},
        "metrics": record.get("metrics") or {},
        "times": record.get("times") or {},
        "settings": done.get("settings"),
        "finished": record.get("finished"),
    }


def _numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    counts: dict[str, float] = {"subjects": len(rows)}
    counts |= {kind: sum(row["status"] == kind for row in rows) for kind in ("done", "failed", "pending")}
    done = [row for row in rows if row["status"] == "done"]
    seconds = [row["seconds"] for row in done if row["seconds"] is not None]
    memory = [row["peak_memory_mb"] for row in done if row["peak_memory_mb"] is not None]
    if seconds and memory:
        counts |= {"seconds_median": round(median(seconds), 3), "peak_memory_mb_max": max(memory)}
    return counts


def _write_table(path: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    metrics = list(dict.fromkeys(name for row in rows for name in (*row["metrics"], *row["times"])))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*_COLUMNS, "inputs_sha256", *metrics])
        for row in rows:
            numbers = {**row["metrics"], **row["times"]}
            shown = {**row, "warnings": len(row["warnings"]), "error": _first_line(row["error"])}
            table.writerow(
                [*(shown[name] for name in _COLUMNS), _inputs_digest(row), *(numbers.get(name) for name in metrics)]
            )


def _inputs_digest(row: Mapping[str, Any]) -> str:
    """One digest of all inputs of a subject: of their names and digests, sorted."""
    text = json.dumps(sorted(row["inputs"].items()))
    return hashlib.sha256(text.encode()).hexdigest() if row["inputs"] else ""


def _first_line(message: str | None) -> str:
    return (message or "").partition("\n")[0][:_FIRST_LINE]


def _page(
    folder: CohortFolder, rows: Sequence[Mapping[str, Any]], numbers: Mapping[str, float], request: CohortRequest
) -> str:
    from monai_cortex.visualize import (  # noqa: PLC0415 (matplotlib is not needed where nothing is new)
        Check,
        Citation,
        Facts,
        Failure,
        Report,
        Reproduction,
        render_report,
    )

    metadata = read_metadata(bundle_folder(request.slug))
    failed = [row for row in rows if row["status"] == "failed"]
    untried = f"{int(numbers['pending'])} of {len(rows)} not tried"
    warned = [f"{row['subject']}: {text}" for row in rows for text in row["warnings"]]
    report = Report(
        title=f"{metadata['name']}: cohort of {len(rows)} subjects",
        summary=[Facts(_facts(numbers))],
        inputs=[_input_table(rows)],
        method=[metadata["description"], metadata["intended_use"]],
        results=[*_result_tables(folder, rows), *(warned and ["Warnings:", *warned[:_MESSAGES]])],
        checks=[
            Check("every subject was tried", not numbers["pending"], untried),
            Check("every subject that was tried succeeded", not failed, f"{len(failed)} failed"),
        ],
        errors=[Failure(row["subject"], row["error"]) for row in failed[:_MESSAGES]],
        reproduction=Reproduction(
            f"python -m monai_cortex cohort {request.slug} DATASET_DIR OUTPUT_DIR", {"monai_cortex": __version__}
        ),
        citations=[Citation(text) for text in metadata["references"]],
    )
    return render_report(report)


def _facts(numbers: Mapping[str, float]) -> dict[str, Any]:
    names = {"seconds_median": "time of a subject, median [s]", "peak_memory_mb_max": "largest memory [MB]"}
    return {names.get(name, name): value for name, value in numbers.items()}


def _input_table(rows: Sequence[Mapping[str, Any]]) -> Any:
    from monai_cortex.visualize import Table  # noqa: PLC0415

    cells = [[row["subject"], len(row["inputs"]) or "not read", _inputs_digest(row)[:16]] for row in rows]
    return Table(
        ["subject", "input files", "sha256 of all, first 16 digits"], cells, "Each file's own is in report.json."
    )


def _result_tables(folder: CohortFolder, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    from monai_cortex.visualize import Link, Table  # noqa: PLC0415

    def subject(row: Mapping[str, Any]) -> Any:
        page, crash = folder.report(row["subject"]), folder.crash(row["subject"])
        place = crash if row["status"] == "failed" else page
        name = place.relative_to(folder.path).as_posix()
        return Link(row["subject"], f"./{name}") if place.is_file() else row["subject"]

    cells = [
        [
            subject(row),
            row["status"],
            row["seconds"],
            row["peak_memory_mb"],
            row["device"] or "n/a",
            len(row["warnings"]),
            _first_line(row["error"]),
        ]
        for row in rows
    ]
    headings = ["subject", "status", "time [s]", "peak memory [MB]", "device", "warnings", "error"]
    return [Table(headings, cells, "A subject's name leads to its own page, or to why it has failed.")]
