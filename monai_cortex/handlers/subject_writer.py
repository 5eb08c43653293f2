"""Results of each subject as one folder that appears only when it is complete."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from monai_cortex.data import atomic_folder, write_json

__all__ = ["SubjectWriter"]

_log = logging.getLogger(__name__)


class SubjectWriter(ABC):
    """Write ``<output_dir>/<subject>/`` for every subject that an evaluator finishes.

    Subclasses say what is in the folder; this class sees to it that the folder stands under its name only when all of
    it is there, and keeps the records for the report.

    Args:
        output_dir: folder of the run.

    Attributes:
        columns: what a report shows side by side: prefixes of metrics' names by heading; "" fits all.
    """

    columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, output_dir: str) -> None:
        self.output_dir = Path(output_dir)
        self._start = self._forward = time.perf_counter()

    def attach(self, engine: Engine) -> None:
        """Write at the end of each iteration; records go to ``engine.state.subjects``, one mapping a subject."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_STARTED, self._tick)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._tock)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._summarize)

    def __call__(self, engine: Engine) -> None:
        state: Any = engine.state
        batch, output = state.batch, state.output
        seconds = (self._forward - self._start) / max(len(output), 1)
        for inputs, results in zip(batch, output, strict=True):
            item = {**inputs, **results}
            name = str(item["subject"])
            with atomic_folder(self.output_dir / name) as folder:
                record = {"subject": name, **self.write(item, folder), "inference_time_s": round(seconds, 3)}
                write_json(folder / "metrics.json", record)
            state.subjects.append(record)
            _log.info("%s: results in %s", name, self.output_dir / name)

    @abstractmethod
    def write(self, item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write one subject's files into ``folder`` and return its metrics, names carrying their units."""

    def _begin(self, engine: Engine) -> None:
        state: Any = engine.state
        state.subjects, state.subject_columns = [], self.columns

    def _tick(self, _: Engine) -> None:
        self._start = time.perf_counter()

    def _tock(self, _: Engine) -> None:
        self._forward = time.perf_counter()

    def _summarize(self, engine: Engine) -> None:
        """Means over subjects become the engine's metrics, so that trackers and reports have them."""
        state: Any = engine.state
        # Not every subject has every number: only some may have labels.
        values: dict[str, list[float]] = {}
        for row in state.subjects:
            for name, value in row.items():
                if isinstance(value, float):
                    values.setdefault(name, []).append(value)
        engine.state.metrics |= {name: sum(numbers) / len(numbers) for name, numbers in values.items()}
