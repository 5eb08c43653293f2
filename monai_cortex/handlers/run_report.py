"""The report of a run: report.html for people, report.json for programs."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer

from monai_cortex import __version__
from monai_cortex.data import atomic_path, read_metadata, write_json
from monai_cortex.handlers.run_description import git_revision
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
_UNITS = {
    "_s_per_mm2": "s/mm\u00b2",
    "_percent": "%",
    "_degree": "degree",
    "_mm": "mm",
    "_ml": "ml",
    "_voxels": "voxels",
    "_s": "s",
}


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
        history = self._history.records
        metrics = {name: float(value) for name, value in (self.validator or engine).state.metrics.items()}
        seconds = round(time.perf_counter() - self._start, 1)
        record = {"bundle": metadata["name"], "version": metadata["version"], "seed": self.seed, "time_s": seconds}
        write_json(self.output_dir / "report.json", record | {"subjects": subjects, "metrics": metrics})
        report = Report(
            title=metadata["name"],
            summary=[Facts(_summary(subjects, history) | {"time [s]": seconds} | _headed(metrics))],
            inputs=_inputs(subjects),
            method=[metadata["description"], metadata["intended_use"]],
            results=[*self._training(history), *self._results(subjects), *self._more(engine)],
            checks=self._checks(subjects),
            reproduction=Reproduction(self.command, _versions(), self.seed, git_revision()),
            citations=[Citation(text) for text in metadata["references"]],
        )
        with atomic_path(self.output_dir / "report.html") as path:
            path.write_text(render_report(report), encoding="utf-8")

    def _begin(self, _: Engine) -> None:
        self._start = time.perf_counter()

    def _checks(self, subjects: Sequence[Mapping[str, Any]]) -> list[Check]:
        return [
            Check(f"{row['subject']}: {_heading(name)}", row[name] <= limit, f"{row[name]:g}, at most {limit:g}")
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

    def _results(self, subjects: Sequence[Mapping[str, Any]]) -> list[Block]:
        if not subjects:
            return []
        # One row a quantity: a report is read for few subjects, and their numbers are many.
        names = dict.fromkeys(name for row in subjects for name in row)
        numbers = [name for name in names if any(isinstance(row.get(name), int | float) for row in subjects)]
        rows = [[_heading(name), *(_number(row.get(name)) for row in subjects)] for name in numbers]
        table = Table(["quantity", *(row["subject"] for row in subjects)], rows)
        return [table, *(self._picture(str(row["subject"])) for row in subjects[:_PICTURES])]

    def _more(self, engine: Engine) -> list[Block]:
        return [block for section in self.sections for block in section.blocks(engine)]

    def _picture(self, subject: str) -> Picture:
        return Picture((self.output_dir / subject / "qc.png").read_bytes(), f"Subject {subject}.", f"maps of {subject}")


def _inputs(subjects: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not subjects:
        return ["Training data; see the parameters of the run."]
    texts = [name for name, value in subjects[0].items() if isinstance(value, list | dict)]
    rows = [[row["subject"], *(_text(row[name]) for name in texts)] for row in subjects]
    return [Table(["subject", *map(_heading, texts)], rows)]


def _heading(name: str) -> str:
    """Name with its unit in brackets: ``residual_percent`` is "residual [%]"."""
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} [{unit}]"
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _headed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_heading(name): value for name, value in values.items()}


def _summary(subjects: Sequence[object], history: Sequence[object]) -> dict[str, Any]:
    return {"training steps": len(history)} if history else {"subjects": len(subjects)}


def _text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    return ", ".join(map(str, value))


def _versions() -> dict[str, str]:
    names = ("monai", "torch", "numpy", "nibabel")
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return {
        "monai_cortex": __version__,
        **{name: version(name) for name in names},
        "Python": platform.python_version(),
        "device": device,
    }
