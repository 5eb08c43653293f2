"""The report of a run: report.html for people, report.json for programs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.engines import Trainer

from monai_cortex.data import atomic_path, read_metadata, write_json
from monai_cortex.handlers.metric_tables import heading, side_by_side, subject_table
from monai_cortex.handlers.run_description import git_revision, software_versions
from monai_cortex.handlers.training_history import TrainingHistory
from monai_cortex.visualize import (
    Block,
    Check,
    Citation,
    Facts,
    Picture,
    Report,
    Reproduction,
    Table,
    png,
    render_report,
    training_figure,
)

__all__ = ["ReportSection", "RunReport"]

_PICTURES = 12  # subjects shown; all are in the tables


class ReportSection(Protocol):
    """Something that has more to say in the results of a run."""

    def blocks(self, engine: Engine) -> list[Block]:
        """Paragraphs, tables and pictures, when the engine has completed."""


class RunReport:
    """Write ``report.html`` and ``report.json`` into the run's folder when the run completes.

    Shows the subjects that a :class:`SubjectWriter` has written, the history of a training,
    and the engine's metrics, whichever there are.

    Args:
        output_dir: folder of the run.
        bundle_root: folder of the bundle; its metadata give title, method and citation.
        config: file name of the run's config, for the command that repeats it.
        seed: of the run.
        limits: largest acceptable value of subjects' metrics, by name; each becomes a check.
        validator: engine whose last metrics are those of a training.
        sections: what else goes into the results, such as a :class:`RegistrationGroup`.
    """

    def __init__(
        self,
        output_dir: str,
        bundle_root: str,
        config: str = "inference.json",
        seed: int | None = None,
        limits: Mapping[str, float] | None = None,
        validator: Engine | None = None,
        sections: Sequence[ReportSection] = (),
    ) -> None:
        self.output_dir, self.bundle_root = Path(output_dir), bundle_root
        self.seed, self.limits, self.validator = seed, dict(limits or {}), validator
        self.sections = tuple(sections)
        self.command = f"python -m monai.bundle run --config_file configs/{config}"
        if seed is not None:
            self.command += f" --seed {seed}"
        self._history = TrainingHistory()
        self._start = time.perf_counter()

    def attach(self, engine: Engine) -> None:
        """Write when the engine completes, in the first process; a trainer also gets a :class:`TrainingHistory`."""
        if idist.get_rank() > 0:
            return
        if isinstance(engine, Trainer):
            self._history.attach(engine)
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        metadata = read_metadata(self.bundle_root)
        subjects = list(getattr(engine.state, "subjects", []))
        columns = getattr(engine.state, "subject_columns", {})
        history = self._history.records
        metrics = {name: float(value) for name, value in (self.validator or engine).state.metrics.items()}
        seconds = round(time.perf_counter() - self._start, 1)
        record = {"bundle": metadata["name"], "version": metadata["version"], "seed": self.seed, "time_s": seconds}
        checks = self._checks(subjects)
        record |= {"subjects": subjects, "metrics": metrics, "checks": [asdict(check) for check in checks]}
        write_json(self.output_dir / "report.json", record)
        report = Report(
            title=metadata["name"],
            # Means over one subject are its numbers, which follow.
            summary=[Facts(_summary(subjects, history) | {"time [s]": seconds} | _headed(metrics, len(subjects)))],
            inputs=_inputs(subjects),
            method=[metadata["description"], metadata["intended_use"]],
            results=[*self._training(history), *self._results(subjects, columns), *self._more(engine)],
            checks=checks,
            reproduction=Reproduction(self.command, software_versions(), self.seed, git_revision()),
            citations=[Citation(text) for text in metadata["references"]],
        )
        with atomic_path(self.output_dir / "report.html") as path:
            path.write_text(render_report(report), encoding="utf-8")

    def _begin(self, _: Engine) -> None:
        self._start = time.perf_counter()

    def _checks(self, subjects: Sequence[Mapping[str, Any]]) -> list[Check]:
        return [
            Check(f"{row['subject']}: {heading(name)}", row[name] <= limit, f"{row[name]:g}, at most {limit:g}")
            for row in subjects
            for name, limit in self.limits.items()
            if name in row
        ]

    def _training(self, history: Sequence[Mapping[str, float]]) -> list[Block]:
        if not history:
            return []
        picture = png(training_figure(history))
        folder = self.output_dir / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "training.png") as path:
            path.write_bytes(picture)
        return [Picture(picture, "Loss, its unweighted terms and the learning rate against the step.", "loss curves")]

    def _results(self, subjects: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[Block]:
        if not subjects:
            return []
        pictures: list[Block] = [self._picture(str(row["subject"])) for row in subjects[:_PICTURES]]
        if len(subjects) == 1 and columns:
            return [*pictures, *side_by_side(subjects[0], columns)]
        return [*pictures, subject_table(subjects)]

    def _more(self, engine: Engine) -> list[Block]:
        return [block for section in self.sections for block in section.blocks(engine)]

    def _picture(self, subject: str) -> Picture:
        place = f"{subject}/qc.png"
        return Picture((self.output_dir / place).read_bytes(), f"Subject {subject}.", f"maps of {subject}", place)


def _inputs(subjects: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not subjects:
        return ["Training data; see the parameters of the run."]
    texts = [name for name, value in subjects[0].items() if isinstance(value, list | dict)]
    rows = [[row["subject"], *(_text(row[name]) for name in texts)] for row in subjects]
    return [Table(["subject", *map(heading, texts)], rows)]


def _headed(values: Mapping[str, Any], subjects: int) -> dict[str, Any]:
    return {} if subjects == 1 else {heading(name): value for name, value in values.items()}


def _summary(subjects: Sequence[object], history: Sequence[object]) -> dict[str, Any]:
    return {"training steps": len(history)} if history else {"subjects": len(subjects)}


def _text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    return ", ".join(map(str, value))
