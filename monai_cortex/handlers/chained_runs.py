"""Runs of the tracker for a chain of steps: a parent, and children that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from monai_cortex.handlers.mlflow_run import MLflowRun
from monai_cortex.handlers.tracking_entries import metric_entry

__all__ = ["PARENT_TAG", "track_work"]

PARENT_TAG = "mlflow.parentRunId"
"""The tag by which MLflow's pages show a run below another one. A bundle's run gets it by
``--tracker#tags "{'mlflow.parentRunId': ID}"``."""
_FILES = ("figures/*.png", "report.html", "*.json")


def track_work(  # noqa: PLR0913
    work: Callable[[Any, str | None], Mapping[str, float]],
    items: Sequence[Any],
    output_dir: str | Path,
    *,
    name: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str | None] | None = None,
    tracking_uri: str | None = None,
) -> list[Mapping[str, float]]:
    """Do some work inside a run of its own, which is closed with its true status whatever happens to the work.

    Logged are the config, the numbers of each item with its place among the items as step, and in the end the figures,
    ``report.html`` and JSON files of the folder. Calls may lie within each other, in other folders.

    Args:
        work: called with an item and the run's identifier, which is None where the tracker does not answer; returns
            numbers by name, or none.
        items: what to work on, one after the other.
        output_dir: folder of the run; the store is there unless another one is named.
        name: first part of the run's name.
        config: that the work is done with.
        tags: of the run; those that are None are left out.
        tracking_uri: another store; "" tracks nothing.

    Returns:
        What the work returned, by item.
    """
    found: list[Mapping[str, float]] = []

    def step(_: Engine, item: Any) -> Mapping[str, float]:
        found.append(work(item, run.identifier))
        return found[-1]

    engine = Engine(step)
    known = {"bundle": name, **{key: value for key, value in (tags or {}).items() if value}}
    options: dict[str, Any] = {"run_prefix": name, "config": dict(config), "tags": known}
    run = _WorkRun(output_dir, tracking_uri=tracking_uri or None, enabled=tracking_uri != "", **options)
    run.attach(engine)
    engine.run(list(items))
    return found


class _WorkRun(MLflowRun):
    identifier: str | None = None

    def start(self, engine: Engine) -> None:
        super().start(engine)
        self.identifier = self.cur_run and self.cur_run.info.run_id

    def iteration_completed(self, engine: Engine) -> None:
        numbers: Any = engine.state.output
        if numbers:
            self._send(metric_entry(numbers, engine.state.iteration - 1))

    def epoch_completed(self, engine: Engine) -> None:
        """Nothing: the items are what is told."""

    def _artifacts(self) -> Iterator[tuple[Path, str | None]]:
        for pattern in _FILES:
            for path in sorted(self.output_dir.glob(pattern)):
                yield path, "figures" if path.suffix == ".png" else None
