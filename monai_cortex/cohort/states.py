"""What is there of each subject, and whether it may stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.settings import Settings, changed_settings
from monai_cortex.cohort.stamps import input_files, stamps_of, unequal
from monai_cortex.errors import ConfigError

__all__ = ["DONE_RECORD", "State", "read_record", "require_same", "state_of"]

DONE_RECORD = "done.json"
_SHOWN = 3
_REFUSED = (
    (
        "outdated",
        "finished subjects were computed with other settings or inputs",
        "what they were computed with",
    ),
    ("foreign", "subjects have folders that no cohort run has written", "no folder of that name"),
)


class State(NamedTuple):
    """What is there of a subject.

    Attributes:
        subject: identifier.
        kind: "new", "done", "damaged" (done, but its files differ from the record), "outdated" (done with other
            settings or inputs) or "foreign" (a folder that no cohort run has written).
        detail: why it is neither new nor done.
        fresh: whether the stamps of a done subject are those of its record, so that no file had to be read.
    """

    subject: str
    kind: str
    detail: str = ""
    fresh: bool = True


def read_record(path: Path) -> dict[str, Any]:
    """A record, empty where it is missing or cut off."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def state_of(
    folder: CohortFolder, item: Mapping[str, Any], dataset_dir: Path, settings: Settings, *, verify: bool = False
) -> State:
    """Compare what is there of a subject with its record and with what is asked for now.

    Args:
        folder: of the cohort.
        item: of the subject, with the paths of its inputs.
        dataset_dir: folder of the data set.
        settings: of this run.
        verify: read every file again, whatever its size and times say.
    """
    subject = str(item["subject"])
    place = folder.results(subject)
    known = read_record(folder.record(subject))
    if not place.exists():
        return State(subject, "damaged", "no results") if known.get("status") == "done" else State(subject, "new")
    done = read_record(place / DONE_RECORD)
    if not done and known.get("status") != "done":
        return State(subject, "foreign", "a folder without done.json")
    if not done or ("done" in known and done != known["done"]):
        return State(subject, "damaged", f"{DONE_RECORD} is missing or not what was written")
    inputs = input_files(item, dataset_dir)
    stamps = {} if verify else known
    if reason := _other_than(done, folder, settings, inputs, stamps):
        return State(subject, "outdated", reason)
    outputs = {name: place / name for name in done["outputs"]}
    if wrong := unequal(outputs, done["outputs"], stamps.get("output_stamps")):
        return State(subject, "damaged", ", ".join(wrong[:_SHOWN]))
    fresh = known.get("input_stamps") == stamps_of(inputs) and known.get("output_stamps") == stamps_of(outputs)
    return State(subject, "done", fresh=fresh)


def require_same(states: list[State], overwrite: bool) -> None:
    """Refuse to go on where finished subjects were computed otherwise, or where folders are not ours.

    Args:
        states: of the subjects of this run.
        overwrite: replace these instead.

    Raises:
        ConfigError: there are such subjects.
    """
    for kind, problem, expected in _REFUSED:
        found = [state for state in states if state.kind == kind]
        if found and not overwrite:
            raise ConfigError(
                f"{len(found)} {problem}",
                subject=found[0].subject,
                found=found[0].detail,
                expected=expected,
                remedy="take another output folder, or replace them with --overwrite",
            )


def _other_than(
    done: Mapping[str, Any],
    folder: CohortFolder,
    settings: Settings,
    inputs: Mapping[str, str],
    stamps: Mapping[str, Any],
) -> str:
    if done["settings"] != settings.digest:
        before = read_record(folder.settings / f"{done['settings']}.json")
        changes = changed_settings(before, settings.record) if before else "settings that are not recorded here"
        return f"settings: {changes}"
    names = sorted({*done["inputs"]} ^ {*inputs})
    wrong = [f"{name} ({'gone' if name in done['inputs'] else 'new'})" for name in names]
    wrong += unequal(inputs, {n: d for n, d in done["inputs"].items() if n in inputs}, stamps.get("input_stamps"))
    return f"inputs: {', '.join(wrong[:_SHOWN])}" if wrong else ""
