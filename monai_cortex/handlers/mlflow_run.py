"""One MLflow run for each training or inference, whatever happens to either."""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any
from weakref import WeakSet

import ignite.distributed as idist
from ignite.engine import Engine, Events
from mlflow.telemetry import set_telemetry_client
from monai.engines import Evaluator, Trainer
from monai.handlers import MLFlowHandler

from monai_cortex.data import switched_on
from monai_cortex.handlers.engine_output import losses, scalars
from monai_cortex.handlers.engine_run import during_run, orderly_termination
from monai_cortex.handlers.privacy import flat_parameters, scrub
from monai_cortex.handlers.run_cost import RunCost
from monai_cortex.handlers.run_description import describe, describe_data, executed_config
from monai_cortex.handlers.stale_runs import close_stale_runs
from monai_cortex.handlers.tracker_calls import TrackerCalls
from monai_cortex.handlers.tracker_store import artifact_place, database_file, database_uri, find_experiment, store_uri
from monai_cortex.handlers.tracking_entries import (
    artifact_entry,
    data_entry,
    deliver,
    metric_entry,
    now,
    parameter_entries,
    status_entry,
    tag_entry,
    text_entry,
)
from monai_cortex.handlers.tracking_journal import TrackingJournal, public_store

__all__ = ["MLflowRun", "ui_line"]

_ARTIFACTS = {
    "figures/*.png": "figures",
    "*/qc.png": "figures/{0.parent.name}",
    "report.html": None,
    "report.json": None,
    "metrics.json": None,
    "model.pt": None,
    "model.pt.json": None,
}
_MAKING_A_STORE = 60.0  # seconds that creating the tables of a new database may take
_UPLOAD = 1e6  # slowest upload in bytes per second that is waited for
_LAST_WORD = 2.0  # seconds kept for closing a run whose tracker was lost

_open: dict[tuple[str, ...], MLflowRun] = {}  # runs of this process that engines may join
_attached: WeakSet[Engine] = WeakSet()


class MLflowRun(MLFlowHandler):
    """MONAI's handler, made safe: a run of its own, a true status, no private paths, no harm from an outage.

    Attach it to a trainer and its validator (the same object or one each), or to an evaluator alone. The engine that
    starts first opens a new run under a unique name, the others write into that one, with the trainer's epoch as step;
    it is closed with the first engine, as FINISHED, FAILED after an exception, or KILLED when interrupted. Runs that a
    dead process of this machine has left open are closed as KILLED. A tracker that does not answer costs at most 10
    seconds and one warning; what it did not take stands in ``tracking_journal`` beside the results, for
    ``python -m monai_cortex sync``.

    Logged are tags, see :func:`describe`; the config's scalars as parameters; per epoch the means of ``train/loss`` and
    ``train/learning_rate``, ``train/<metric>`` and ``val/<metric>``; at the end what the run has cost, under names that
    all methods share, see :class:`RunCost`; the data set as an input; ``config.json``, and from ``output_dir`` the
    figures, reports, ``metrics.json`` and ``model.pt``, after a failure only those that are new.

    Args:
        output_dir: gets the store ``mlruns.db`` and ``mlruns/`` unless another one is named.
        bundle_root: folder of the bundle.
        tracking_uri: another store; ``MLFLOW_TRACKING_URI`` in the environment goes before it.
        experiment: name of the experiment.
        run_prefix: what kind of run it is; its name begins with the bundle's and this.
        config: executed config: a dictionary, a ``ConfigParser``, or the path of a JSON file; by default what the
            command line of ``python -m monai.bundle run`` names.
        tags: more tags.
        enabled: False does nothing at all.
        log_every: iterations between two entries of ``train/iteration_loss``; 0 for none.
    """

    def __init__(  # noqa: PLR0913
        self,
        output_dir: str | Path,
        bundle_root: str | Path = ".",
        *,
        tracking_uri: str | None = None,
        experiment: str = "monai_cortex",
        run_prefix: str | None = None,
        config: Mapping[str, Any] | str | Path | Any = None,
        tags: Mapping[str, Any] | None = None,
        enabled: bool = True,
        log_every: int = 0,
    ) -> None:
        # MLFlowHandler.__init__ opens the store, so it waits until there is a run: see _connect.
        self.output_dir, self.bundle_root = Path(output_dir).absolute(), Path(bundle_root)
        self.uri = store_uri(tracking_uri) or database_uri(self.output_dir)
        self.experiment_name, self.run_prefix = experiment, run_prefix
        self.config, self.tags, self.log_every = config, tags, log_every
        self.enabled = switched_on(enabled, "track")
        self.cur_run: Any = None
        self._awaited = False
        self.experiment: Any = None
        self._key = (str(self.output_dir), self.uri, experiment)
        self._calls, self._owner = TrackerCalls(), Engine(lambda *_: None)
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._before: dict[Path, tuple[int, int]] = {}

    def attach(self, engine: Engine) -> None:
        """Record the runs of an engine; an engine that is recorded already is left as it is."""
        if self.enabled and idist.get_rank() == 0 and engine not in _attached:
            _attached.add(engine)
            during_run(engine, lambda: self._recorded(engine))

    @contextmanager
    def _recorded(self, engine: Engine) -> Iterator[None]:
        if not engine.has_event_handler(self.epoch_completed, Events.EPOCH_COMPLETED):
            # Only now, to come after the metrics wherever they stand in the list of handlers.
            engine.add_event_handler(Events.STARTED, self._resumed)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.epoch_completed)
        if self._key in _open:  # a validator inside its trainer
            yield
            return
        status = "FAILED"
        with orderly_termination(engine):
            try:
                self.start(engine)
                yield
                status = "FAILED" if engine.last_event_name == Events.EXCEPTION_RAISED else "FINISHED"
            except (KeyboardInterrupt, SystemExit):
                status = "KILLED"
                raise
            finally:
                self._finish(status)

    def start(self, engine: Engine) -> None:
        """Open a new run, with its tags, parameters and config."""
        self._calls, self._owner, self.cur_run = TrackerCalls(), engine, None
        self._sums.clear()
        self._cost = RunCost()
        self._before = {path: _stamp(path) for path, _ in self._artifacts()}
        _open[self._key] = self
        config = executed_config(self.config)
        tags = describe(config, self.bundle_root, engine, self.tags)
        kind = "-".join(filter(None, (tags["bundle"], self.run_prefix)))
        self.run_name = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        store = public_store(self.uri, database_uri(self.output_dir))
        run = {"name": self.run_name, "experiment": self.experiment_name, "tags": tags, "started": now()}
        self._journal = TrackingJournal(self.output_dir, {**run, "store": store})
        file = database_file(self.uri)
        allowance = _MAKING_A_STORE if file and not file.exists() else 0
        self._awaited = True
        self._awaited = self._calls(lambda: self._connect(tags), allowance)
        engine.state.tracking_run = self._run_id or self.run_name  # type: ignore[attr-defined]
        parameters = {name: str(getattr(engine.state, name, None)) for name in self.default_tracking_params}
        for entry in parameter_entries({**parameters, **flat_parameters(config)}):
            self._send(entry)
        if data := describe_data(config, tags["bundle"], self.output_dir):
            context = "training" if isinstance(engine, Trainer) else "inference"
            self._send(data_entry(**data, context=context))
        if config:
            self._send(text_entry("config.json", json.dumps(scrub(config), indent=2)))

    def iteration_completed(self, engine: Engine) -> None:
        """Add the loss and the learning rate to the means of the epoch."""
        leader = _open.get(self._key)
        if leader is None or _is_evaluator(engine, leader):
            return
        values = losses(engine.state.output)
        groups = getattr(getattr(engine, "optimizer", None), "param_groups", ())
        rates = {f"learning_rate{f'_{i}' if i else ''}": float(group["lr"]) for i, group in enumerate(groups)}
        for name, value in {**values, **rates}.items():
            leader._sums[f"train/{name}"].append(value)
        if self.log_every and engine.state.iteration % self.log_every == 0:
            entries = {f"train/iteration_{name}": value for name, value in values.items()}
            leader._send(metric_entry(entries, engine.state.iteration))

    def epoch_completed(self, engine: Engine) -> None:
        """Log the metrics, and a trainer's means, with the trainer's epoch as step."""
        leader = _open.get(self._key)
        if leader is None:
            return
        evaluator = _is_evaluator(engine, leader)
        entries = scalars(engine.state.metrics, "val/" if evaluator else "train/")
        if not evaluator:
            entries |= {name: sum(values) / len(values) for name, values in leader._sums.items()}
            leader._sums.clear()
        if entries:
            leader._send(metric_entry(entries, leader._owner.state.epoch))

    def _connect(self, tags: Mapping[str, str]) -> None:
        set_telemetry_client()  # none, also where mlflow was imported before the environment said so
        place = artifact_place(self.uri)
        super().__init__(
            self.uri, experiment_name=self.experiment_name, run_name=self.run_name, artifact_location=place
        )
        experiment = find_experiment(self.client, self.experiment_name, self.artifact_location)
        self.experiment = self.client.get_experiment(experiment)
        close_stale_runs(self.client, {run._run_id for run in _open.values() if run._run_id})
        if not self._awaited:  # left behind: the run is opened when its journal is delivered
            return
        self.cur_run = self.client.create_run(experiment, run_name=self.run_name, tags=dict(tags))

    @property
    def _run_id(self) -> str | None:
        return None if self.cur_run is None else str(self.cur_run.info.run_id)

    def _resumed(self, engine: Engine) -> None:
        leader, run = _open.get(self._key), getattr(engine.state, "resumed_from", None)
        if leader is not None and run is not None:
            leader._send(tag_entry("resumed_from", run))

    def _send(self, entry: Mapping[str, Any], allowance: float = 0.0) -> None:
        run = self._run_id
        if run is None:  # the store could not be opened
            self._calls.undelivered += 1
        elif self._calls(lambda: deliver(self.client, run, entry, self.output_dir), allowance):
            return
        self._journal.append(entry, run)

    def _artifacts(self) -> Iterator[tuple[Path, str | None]]:
        for pattern, folder in _ARTIFACTS.items():
            for path in sorted(self.output_dir.glob(pattern)):
                if path.is_file():
                    yield path, folder and folder.format(path)

    def closing_metrics(self, engine: Engine) -> dict[str, float]:
        """What is logged when the run ends, however it ends: its cost."""
        return self._cost.metrics(engine)

    def _finish(self, status: str) -> None:
        _open.pop(self._key, None)
        self._send(metric_entry(self.closing_metrics(self._owner), 0))  # of no step, so that MLflow draws bars
        for path, folder in self._artifacts():
            if status == "FINISHED" or self._before.get(path) != _stamp(path):
                entry = artifact_entry(path, self.output_dir, folder)
                self._send(entry, allowance=path.stat().st_size / _UPLOAD)
        self._calls.patience = max(self._calls.patience, _LAST_WORD)
        self._send(status_entry(status))
        opened, self.cur_run = self._run_id, None
        if opened:  # a run that was never opened has no connections either
            self._calls(self.close)


def ui_line(output_dir: str | Path) -> str:
    """The command that shows the runs of an output folder in a browser."""
    return f"mlflow ui --backend-store-uri {quote(database_uri(Path(output_dir).absolute()))}"


def _is_evaluator(engine: Engine, leader: MLflowRun) -> bool:
    return isinstance(engine, Evaluator) or engine is not leader._owner


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
