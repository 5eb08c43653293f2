"""One run of the tracker for a whole cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from monai_cortex.handlers.mlflow_run import MLflowRun
from monai_cortex.handlers.tracking_entries import metric_entry

__all__ = ["track_cohort"]


def track_cohort(
    output_dir: str,
    bundle_root: str,
    metrics: Mapping[str, float],
    config: Mapping[str, Any],
    tracking_uri: str | None = None,
) -> str | None:
    """Write one run with a cohort's numbers and reports; pictures of subjects stay where they are, there may be many.

    Args:
        output_dir: of the cohort; the store is there unless another one is named.
        bundle_root: folder of the bundle.
        metrics: numbers by name.
        config: that the cohort ran with.
        tracking_uri: another store.

    Returns:
        Identifier of the run; None where the tracker did not answer, which costs at most ten seconds.
    """
    engine = Engine(lambda *_: None)
    engine.state.metrics = dict(metrics)
    run = _CohortRun(output_dir, bundle_root, tracking_uri=tracking_uri, run_prefix="cohort", config=dict(config))
    run.attach(engine)
    engine.run([0])
    return run.identifier


# What runs of all kinds share, and what a cohort counts; its times are medians over subjects, its memory the largest.
_SHARED = {
    "run/subjects": "done",
    "run/subjects_failed": "failed",
    "run/seconds_per_subject": "seconds_median",
    "run/peak_memory_mb": "peak_memory_mb_max",
}


class _CohortRun(MLflowRun):
    identifier: str | None = None

    def start(self, engine: Engine) -> None:
        super().start(engine)
        self.identifier = self.cur_run and self.cur_run.info.run_id

    def epoch_completed(self, engine: Engine) -> None:
        entries = {f"cohort/{name}": float(value) for name, value in engine.state.metrics.items()}
        self._send(metric_entry(entries, 0))

    def closing_metrics(self, engine: Engine) -> dict[str, float]:
        numbers = engine.state.metrics
        return {name: float(numbers[own]) for name, own in _SHARED.items() if own in numbers}

    def _artifacts(self) -> Iterator[tuple[Path, str | None]]:
        for name in ("report.html", "report.json", "report.csv"):
            if (path := self.output_dir / name).is_file():
                yield path, None
