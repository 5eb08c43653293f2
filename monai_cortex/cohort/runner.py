"""Run a method over a cohort: every subject for itself, finished ones kept, whatever happens to the others."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from monai_cortex.cohort.claims import Claims
from monai_cortex.cohort.folder import CohortFolder
from monai_cortex.cohort.journal import append
from monai_cortex.cohort.participants import select_subjects
from monai_cortex.cohort.report import write_reports
from monai_cortex.cohort.request import CohortRequest
from monai_cortex.cohort.settings import Settings, read_settings
from monai_cortex.cohort.stamps import input_files
from monai_cortex.cohort.states import State, read_record, require_same, state_of
from monai_cortex.cohort.stopping import stoppable
from monai_cortex.cohort.subject_run import SubjectRun
from monai_cortex.cohort.worker_process import Failure, WorkerProcess
from monai_cortex.data import dataset_subjects, write_json
from monai_cortex.errors import ConfigError

__all__ = ["CohortOutcome", "run_cohort"]

_POLL = 0.5  # seconds between two looks at what another process is doing


class CohortOutcome(NamedTuple):
    """How a run has ended, counted over the subjects that were asked for.

    Attributes:
        done: subjects with results, those from before included.
        failed: messages by subject.
        pending: subjects that were not tried.
        kept: those of the done that were there before.
    """

    done: int
    failed: dict[str, str]
    pending: int
    kept: int

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some are not, 4 none is."""
        if not self.failed and not self.pending:
            return 0
        return 3 if self.done else 4


def run_cohort(request: CohortRequest) -> CohortOutcome:
    """Compute what is missing of a cohort, and write its reports.

    Args:
        request: what to do.

    Raises:
        ConfigError: settings, subjects or folders cannot be used; nothing has been computed.
        InputFileError: the data set holds no subject.
        ResourceError: the disk is full; nothing has been computed.
        SystemExit: with 130 or 143 after SIGINT or SIGTERM; what was finished is kept.
    """
    folder = CohortFolder(request.output_dir)
    items = _items(request, folder)
    selected = select_subjects(items, request)
    settings = read_settings(request.slug, request.configs, request.overrides)
    folder.prepare()
    if request.report_only:
        return _reported(folder, items, request)
    states = _states(folder, items, selected, request, settings)
    claims = Claims(folder)
    with stoppable(), claims.at_work():
        _save(folder, settings)
        outcome = _Cohort(folder, request, settings, claims, items).run(states)
    return outcome


class _Cohort:
    """One run: what it knows, and the subjects that it has come to an end with."""

    def __init__(
        self, folder: CohortFolder, request: CohortRequest, settings: Settings, claims: Claims, items: Mapping[str, Any]
    ) -> None:
        self.folder, self.request, self.claims, self.items = folder, request, claims, items
        self.settings = settings
        self.worker = WorkerProcess(*_setup(request, settings, claims.work))
        self.subject_run = SubjectRun(folder, request, settings, claims.work, self.worker)
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self.start = time.time()

    def run(self, states: list[State]) -> CohortOutcome:
        kept = {state.subject for state in states if state.kind == "done"}
        self.done |= kept
        for state in states:
            if state.kind == "done" and not state.fresh:
                self.subject_run.adopt(self.items[state.subject])
        todo = [state for state in states if state.subject not in kept]
        try:
            if todo:
                self._work_through(todo)
                self._log("end", done=len(self.done), failed=len(self.failed))
        except BaseException:
            write_reports(self.folder, self.items, self.request)
            raise
        else:
            numbers = write_reports(self.folder, self.items, self.request)
            # The process that completes the cohort tracks it: one run for all shards.
            if todo and not numbers["pending"]:
                self.subject_run.track(numbers)
        finally:
            self.worker.stop()
        return CohortOutcome(len(self.done), self.failed, len(states) - len(self.done) - len(self.failed), len(kept))

    def _work_through(self, todo: list[State]) -> None:
        self._log("start", shard=str(self.request.shard), subjects=len(todo), settings=self.settings.digest)
        try:
            self.worker.start()
        except Failure as failure:
            raise failure.error from None
        waiting = []
        for state in tqdm(todo, desc=self.request.slug, unit="subject", disable=None):
            if not self._one(state):
                waiting.append(state)
            if self.failed and self.request.stop_on_first_crash:
                return
        for state in waiting:
            while not self._one(state):
                time.sleep(_POLL)

    def _one(self, state: State) -> bool:
        """Come to an end with a subject; False if another process is at it."""
        subject = state.subject
        if not self.claims.take(subject):
            return False
        try:
            if not self._finished_meanwhile(subject, state):
                if state.kind in ("damaged", "outdated"):
                    self._log(state.kind, subject=subject, detail=state.detail)
                self._note(subject, self.subject_run(self.items[subject]))
        finally:
            self.claims.release()
        return True

    def _finished_meanwhile(self, subject: str, before: State) -> bool:
        """Whether another process has come to an end with the subject since this one began."""
        path = self.folder.record(subject)
        if not path.is_file() or path.stat().st_mtime < self.start:
            return False
        record = read_record(path)
        if record.get("status") == "done" and self._state(subject).kind != "done":
            return False
        self._note(subject, record)
        return True

    def _state(self, subject: str) -> State:
        return state_of(self.folder, self.items[subject], self.request.dataset_dir, self.settings)

    def _note(self, subject: str, record: Mapping[str, Any]) -> None:
        if record["status"] == "done":
            self.done.add(subject)
        else:
            self.failed[subject] = record["error"]

    def _log(self, event: str, **facts: Any) -> None:
        append(self.folder.journal, event, process=self.claims.work.name, **facts)


def _items(request: CohortRequest, folder: CohortFolder) -> dict[str, Any]:
    dataset = request.dataset_dir.absolute()
    if folder.path.resolve() == dataset.resolve():
        raise ConfigError(
            "results would lie among the data, and replace them",
            file=folder.path,
            found="the folder of the data set",
            expected="another folder for the results",
            remedy="name another output folder",
        )
    listed = dataset_subjects(request.slug, dataset, strict=False)
    items = {str(item["subject"]): item for item in listed}
    if len(items) < len(listed):
        names = [str(item["subject"]) for item in listed]
        twice = next(name for name in names if names.count(name) > 1)
        remedy = "rename one of them"
        raise ConfigError("two subjects have the same name", subject=twice, expected="different names", remedy=remedy)
    for subject, item in items.items():
        folder.require_free_name(subject)
        place = folder.results(subject).resolve()
        if any(place in Path(path).resolve().parents for path in input_files(item, dataset).values()):
            raise ConfigError(
                "results would replace the data",
                subject=subject,
                file=place,
                found="a folder of the data set",
                expected="another folder for the results",
                remedy="name another output folder",
            )
    return items


def _reported(folder: CohortFolder, items: Mapping[str, Any], request: CohortRequest) -> CohortOutcome:
    write_reports(folder, items, request)
    records = {subject: read_record(folder.record(subject)) for subject in items}
    failed = {subject: record["error"] for subject, record in records.items() if record.get("status") == "failed"}
    done = sum(record.get("status") == "done" for record in records.values())
    return CohortOutcome(done, failed, len(items) - done - len(failed), done)


def _states(
    folder: CohortFolder, items: Mapping[str, Any], selected: list[str], request: CohortRequest, settings: Settings
) -> list[State]:
    states = [
        state_of(folder, items[subject], request.dataset_dir, settings, verify=request.verify) for subject in selected
    ]
    require_same(states, request.overwrite)
    return states


def _setup(request: CohortRequest, settings: Settings, work: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What the process that computes is told, and its environment."""
    own = {"dataset_dir": str(request.dataset_dir.absolute()), "output_dir": str(work / "run")}
    own |= {"bundle_root": str(settings.bundle_root)} | ({"device": request.device} if request.device else {})
    setup = {"files": [str(file) for file in settings.files], "overrides": settings.overrides | own}
    limit = request.memory_gb
    return setup | {"memory_gb": limit}, {"MONAI_CORTEX_MEMORY_GB": f"{limit:.12g}"} if limit else {}


def _save(folder: CohortFolder, settings: Settings) -> None:
    path = folder.settings / f"{settings.digest}.json"
    if not path.is_file():
        write_json(path, json.loads(json.dumps(settings.record)))
