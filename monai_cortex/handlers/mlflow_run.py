"""One MLflow run for each training or inference, whatever happens to either."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import unquote
from weakref import WeakSet

import ignite.distributed as idist
from ignite.engine import Engine, Events
from mlflow.exceptions import MlflowException
from mlflow.telemetry import set_telemetry_client
from monai.engines import Evaluator
from monai.handlers import MLFlowHandler

from monai_cortex.data import switched_on
from monai_cortex.errors import ConfigError
from monai_cortex.handlers.engine_output import losses, scalars
from monai_cortex.handlers.engine_run import during_run, orderly_termination
from monai_cortex.handlers.privacy import flat_parameters, scrub
from monai_cortex.handlers.run_description import describe, executed_config
from monai_cortex.handlers.stale_runs import close_stale_runs
from monai_cortex.handlers.tracker_calls import TrackerCalls

__all__ = ["MLflowRun", "ui_line"]

_ARTIFACTS = {
    "figures/*.png": "figures",
    "*/qc.png": "figures/{0.parent.name}",
    "report.html": None,
    "report.json": None,
    "metrics.json": None,
    "model.pt": None,
}
_KIND = ("mlflow.experimentKind", "custom_model_development")
_MAKING_A_STORE = 60.0  # seconds that creating the tables of a new database may take
_UPLOAD = 1e6  # slowest upload in bytes per second that is waited for
_LAST_WORD = 2.0  # seconds kept for closing a run whose tracker was lost
_SQLITE = "sqlite:///"
_BATCH = 100  # parameters that MLflow takes at once

_open: dict[tuple[str, ...], MLflowRun] = {}  # runs of this process that engines may join
_attached: WeakSet[Engine] = WeakSet()


class MLflowRun(MLFlowHandler):
    """MONAI's handler, made safe: a run of its own, a true status, no private paths, no harm from an outage.

    Attach it to a trainer and its validator (the same object or one each), or to an evaluator alone. The engine that
    starts first opens a new run under a unique name, the others write into that one, with the trainer's epoch as step;
    it is closed with the first engine, as FINISHED, FAILED after an exception, or KILLED when interrupted. Runs that a
    dead process of this machine has left open are closed as KILLED. A tracker that does not answer costs at most 10
    seconds and one warning.

    Logged are tags, see :func:`describe`; the config's scalars as parameters; per epoch the means of ``train/loss`` and
    ``train/learning_rate``, ``train/<metric>`` and ``val/<metric>``; ``config.json``, and from ``output_dir`` the
    figures, reports, ``metrics.json`` and ``model.pt``, after a failure only those that are new.

    Args:
        output_dir: gets the store ``mlruns.db`` and ``mlruns/`` unless another one is named.
        bundle_root: folder of the bundle.
        tracking_uri: another store; ``MLFLOW_TRACKING_URI`` in the environment goes before it.
        experiment: name of the experiment.
        run_prefix: first part of the run's name; by default the bundle's name.
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
        self.uri = _store(tracking_uri) or _database(self.output_dir)
        self.experiment_name, self.run_prefix = experiment, run_prefix
        self.config, self.tags, self.log_every = config, tags, log_every
        self.enabled = switched_on(enabled, "track")
        self.cur_run: Any = None
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
        self._before = {path: _stamp(path) for path, _ in self._artifacts()}
        _open[self._key] = self
        config = executed_config(self.config)
        tags = describe(config, self.bundle_root, engine, self.tags)
        prefix = self.run_prefix or tags["bundle"]
        self.run_name = f"{prefix}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        new = self.uri.startswith(_SQLITE) and not Path(unquote(self.uri.removeprefix(_SQLITE))).exists()
        self._calls(lambda: self._connect(tags), allowance=_MAKING_A_STORE if new else 0)
        if self.cur_run is not None:
            engine.state.tracking_run = self.cur_run.info.run_id  # type: ignore[attr-defined]
            self._send(lambda: self._log_config(config, engine))

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
            leader._send(lambda: leader._log_metrics(entries, engine.state.iteration))

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
            leader._send(lambda: leader._log_metrics(entries, leader._owner.state.epoch))

    def _connect(self, tags: Mapping[str, str]) -> None:
        set_telemetry_client()  # none, also where mlflow was imported before the environment said so
        beside = (self.output_dir / "mlruns").as_uri() if self.uri == _database(self.output_dir) else None
        super().__init__(
            self.uri, experiment_name=self.experiment_name, run_name=self.run_name, artifact_location=beside
        )
        try:
            self._set_experiment()
        except MlflowException:  # another process has made the experiment between our looking and making
            self._set_experiment()
        # Without this tag MLflow's page takes the experiment for one of language models and shows no runs at first.
        self.client.set_experiment_tag(self.experiment.experiment_id, *_KIND)
        close_stale_runs(self.client, {run.cur_run.info.run_id for run in _open.values() if run.cur_run is not None})
        self.cur_run = self.client.create_run(self.experiment.experiment_id, run_name=self.run_name, tags=dict(tags))

    def _log_config(self, config: Mapping[str, Any], engine: Engine) -> None:
        parameters = {name: str(getattr(engine.state, name, None)) for name in self.default_tracking_params}
        rows = list({**parameters, **flat_parameters(config)}.items())
        for start in range(0, len(rows), _BATCH):
            self._log_params(dict(rows[start : start + _BATCH]))
        if config:
            self.client.log_text(self.cur_run.info.run_id, json.dumps(scrub(config), indent=2), "config.json")

    def _resumed(self, engine: Engine) -> None:
        leader, run = _open.get(self._key), getattr(engine.state, "resumed_from", None)
        if leader is not None and run is not None:
            leader._send(lambda: leader.client.set_tag(leader.cur_run.info.run_id, "resumed_from", run))

    def _send(self, action: Callable[[], object], allowance: float = 0.0) -> None:
        if self.cur_run is None:  # the store could not be opened
            self._calls.undelivered += 1
        else:
            self._calls(action, allowance)

    def _artifacts(self) -> Iterator[tuple[Path, str | None]]:
        for pattern, folder in _ARTIFACTS.items():
            for path in sorted(self.output_dir.glob(pattern)):
                if path.is_file():
                    yield path, folder and folder.format(path)

    def _finish(self, status: str) -> None:
        _open.pop(self._key, None)
        for path, folder in self._artifacts():
            if status == "FINISHED" or self._before.get(path) != _stamp(path):
                upload = partial(self._upload, path, folder)
                self._send(upload, allowance=path.stat().st_size / _UPLOAD)
        self.run_finish_status = status
        self._calls.patience = max(self._calls.patience, _LAST_WORD)
        self._send(self.close)

    def _upload(self, path: Path, folder: str | None) -> None:
        self.client.log_artifact(self.cur_run.info.run_id, str(path), folder)


def ui_line(output_dir: str | Path) -> str:
    """The command that shows the runs of an output folder in a browser."""
    return f"mlflow ui --backend-store-uri {quote(_database(Path(output_dir).absolute()))}"


def _database(output_dir: Path) -> str:
    # Blanks stay: encoded ones become folders of their own beside the right one.
    return _SQLITE + (output_dir / "mlruns.db").as_posix().replace("%", "%25").replace("?", "%3F")


def _store(uri: str | None) -> str | None:
    """The tracking URI that is asked for, by environment or argument."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or uri
    if uri and ("://" not in uri or uri.startswith("file:")):
        found, remedy = uri, "give sqlite:///FOLDER/mlruns.db, a server's address, or nothing"
        raise ConfigError("MLflow keeps no runs in plain folders", found=found, expected="a database", remedy=remedy)
    return uri


def _is_evaluator(engine: Engine, leader: MLflowRun) -> bool:
    return isinstance(engine, Evaluator) or engine is not leader._owner


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
