"""Checkpoints that survive a kill, and training that goes on from them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.utils import get_seed
from torch import nn

from monai_cortex.data import bundle_identity, clear_partials, switched_on
from monai_cortex.errors import CheckpointError, CortexError, TrainingError
from monai_cortex.handlers.checkpoint_file import plain_state, read_checkpoint, write_checkpoint
from monai_cortex.handlers.engine_run import Terminated, during_run, named_worker_loss, orderly_termination
from monai_cortex.handlers.output_lock import output_lock
from monai_cortex.handlers.random_state import random_state
from monai_cortex.handlers.weights import bare_network, first_nonfinite, fit_weights, load_weights
from monai_cortex.handlers.weights_record import require_own_bundle, write_weights

__all__ = ["CheckpointWriter", "ResumeTraining"]

_log = logging.getLogger(__name__)
_BEST = ("best_metric", "best_metric_epoch")


class CheckpointWriter:
    """Write ``checkpoint.pt`` during training and ``model.pt`` at its end, each whole or not at all.

    ``checkpoint.pt`` holds all that :class:`ResumeTraining` needs, from the start of training on. ``model.pt``, the
    weights alone, appears only when training completes; a training that fails or is stopped leaves ``interrupted.pt``
    instead. Weights that are not finite are never written. The state of the engine is always included, so this can
    stand among its own handlers. A second training in the same folder is refused.

    Args:
        output_dir: folder of the files, or the checkpoint's own path ending in ``.pt``.
        save: what to store by name: networks, optimizer, scheduler; of other engines (a validator) the best metric.
        interval: epochs between two checkpoints.
        weights: name of the network in ``save`` whose weights go into ``model.pt``.
        bundle_root: folder of the bundle that the files are to name.
    """

    def __init__(
        self,
        output_dir: str | Path,
        save: Mapping[str, Any],
        interval: int = 1,
        weights: str = "network",
        bundle_root: str | Path | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval counts epochs and must be at least 1, got {interval}.")
        if not isinstance(save.get(weights), nn.Module):
            raise ValueError(f"save needs the network {weights!r} whose weights are wanted, got {', '.join(save)}.")
        self.path = _checkpoint(output_dir)
        self.save, self.interval, self.weights, self.bundle_root = dict(save), interval, weights, bundle_root
        self._written = -1

    def attach(self, engine: Engine) -> None:
        """Write at the ends of epochs and of the run; of several processes only the first one writes."""
        if idist.get_rank() == 0:
            during_run(engine, lambda: self._watched(engine))

    @contextmanager
    def _watched(self, engine: Engine) -> Iterator[None]:
        with output_lock(self.path.parent):
            self._prepare(engine)
            with orderly_termination(engine), named_worker_loss():
                try:
                    yield
                except BaseException as error:
                    self._interrupted(engine, exact=isinstance(error, Terminated) and error.orderly)
                    raise

    def _prepare(self, engine: Engine) -> None:
        for name in (self.path.name, "model.pt", "interrupted.pt"):
            clear_partials(self.path.with_name(name))
        plain_state(self._content(engine))  # what cannot be stored should be known before the first epoch
        if not engine.has_event_handler(self._epoch, Events.EPOCH_COMPLETED):
            # Only now, to come after validation and the scheduler's step wherever they stand in the list of handlers.
            engine.add_event_handler(Events.STARTED, self._started)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)
            engine.add_event_handler(Events.COMPLETED, self._completed)

    def _started(self, engine: Engine) -> None:
        if engine.state.iteration:  # resumed
            return
        old = [path.name for path in (self.path, self.path.with_name("interrupted.pt")) if path.exists()]
        if old:
            _log.warning("training starts from scratch: %s of an earlier one will be replaced", " and ".join(old))
        self._write(self.path, engine)
        self.path.with_name("interrupted.pt").unlink(missing_ok=True)

    def _epoch(self, engine: Engine) -> None:
        if engine.state.epoch % self.interval == 0:
            self._write(self.path, engine)
            self._written = engine.state.iteration

    def _completed(self, engine: Engine) -> None:
        if self._written != engine.state.iteration:
            self._write(self.path, engine)
        weights = bare_network(self.save[self.weights]).state_dict()
        write_weights(self.path.with_name("model.pt"), weights, self.bundle_root)
        self.path.with_name("interrupted.pt").unlink(missing_ok=True)

    def _interrupted(self, engine: Engine, exact: bool) -> None:
        if not engine.state.iteration:
            return
        try:
            self._write(self.path.with_name("interrupted.pt"), engine, exact)
        except CortexError as error:  # the reason of the interruption matters more
            _log.error("no interrupted.pt: %s", error)

    def _write(self, path: Path, engine: Engine, exact: bool = True) -> None:
        content = {**self._content(engine), "exact": exact}
        for name, part in self.save.items():
            bad = first_nonfinite(content[name]) if isinstance(part, nn.Module) else None
            if bad is not None:
                raise TrainingError(
                    "training has diverged: its weights are not finite",
                    file=path,
                    found=f"NaN or infinity in {bad} of {name}, epoch {engine.state.epoch}",
                    remedy="lower the learning rate; an earlier checkpoint is kept",
                )
        write_checkpoint(path, content)

    def _content(self, engine: Engine) -> dict[str, Any]:
        parts = {name: _state(part) for name, part in self.save.items() if part is not engine}
        trainer = {**engine.state_dict(), **_best(engine)}
        run, length = getattr(engine.state, "tracking_run", None), engine.state.epoch_length
        # At its end an epoch needs none: the next one has seeds of its own.
        randomness = random_state() if length and engine.state.iteration % length else None
        bundle = bundle_identity(self.bundle_root) if self.bundle_root else None
        state = {"trainer": trainer, "seed": get_seed(), "random_state": randomness}
        return {**parts, **state, "tracking_run": run, "bundle": bundle}


class ResumeTraining:
    """Go on from a checkpoint of :class:`CheckpointWriter` when the engine starts.

    The epochs to run are those of the engine, not those of the interrupted run. With :class:`SeedEpochs` what follows
    is, on a CPU, bit for bit that of a run that was never interrupted.

    A training that was asked to stop goes on from ``interrupted.pt``, behind its last iteration; one that has failed or
    was killed from ``checkpoint.pt``, since half an iteration cannot be repeated.

    Args:
        output_dir: folder of ``checkpoint.pt``, or the path of a file.
        load: what to restore by name, as in ``CheckpointWriter.save``.
        enabled: False starts anew.
        bundle_root: folder of the bundle that the checkpoint must belong to, where it says so.
        start: file of weights that all networks of ``load`` start anew from; None, or the word "null" as a command
            line has it, leaves them as they are.
    """

    def __init__(
        self,
        output_dir: str | Path,
        load: Mapping[str, Any],
        enabled: bool = True,
        bundle_root: str | Path | None = None,
        start: str | Path | None = None,
    ) -> None:
        self.path, self.bundle_root, self.start = _checkpoint(output_dir), bundle_root, start
        self.load, self.enabled = dict(load), switched_on(enabled, "resume")

    def attach(self, engine: Engine) -> None:
        """Restore, or load the weights to start from, when the engine starts."""
        engine.add_event_handler(Events.STARTED, self if self.enabled else self._begin)

    def _begin(self, _: Engine) -> None:
        for network in self.load.values():
            if isinstance(network, nn.Module):
                load_weights(network, self.start, optional=True)

    def __call__(self, engine: Engine) -> None:
        """Restore everything.

        Raises:
            CheckpointError: if the file is missing or damaged, or does not fit what is to be restored.
        """
        path, content = self._latest()
        parts = {name: part for name, part in self.load.items() if part is not engine}
        names = set(content) if isinstance(content, Mapping) else set()
        if lost := {*parts, "trainer"} - names:
            found, remedy = f"no {', '.join(sorted(lost))}", "resume from checkpoint.pt; model.pt holds weights only"
            raise CheckpointError("the checkpoint cannot be resumed", file=path, found=found, remedy=remedy)
        if self.bundle_root and content.get("bundle"):
            require_own_bundle(content["bundle"], self.bundle_root, path)
        for name, part in parts.items():
            _restore(part, content[name], path)
        _continue(engine, content["trainer"])
        if engine.state.iteration == content["trainer"]["iteration"]:
            engine.state.random_state = content.get("random_state")  # type: ignore[attr-defined]
        engine.state.resumed_from = content.get("tracking_run")  # type: ignore[attr-defined]
        _log.info("resumed after iteration %d from %s", engine.state.iteration, path.name)

    def _latest(self) -> tuple[Path, Any]:
        stopped = self.path.with_name("interrupted.pt")
        if not self.path.is_file() and stopped.is_file():
            return stopped, read_checkpoint(stopped)
        content = read_checkpoint(self.path)
        if stopped == self.path or not stopped.is_file():
            return self.path, content
        try:
            later = read_checkpoint(stopped)
        except CheckpointError as error:  # the other one will do
            _log.warning("%s", error)
            return self.path, content
        ahead = isinstance(later, Mapping) and later.get("exact") and _iteration(later) > _iteration(content)
        return (stopped, later) if ahead else (self.path, content)


def _iteration(content: Any) -> int:
    trainer = content.get("trainer", {}) if isinstance(content, Mapping) else {}
    return int(trainer.get("iteration", 0))


def _checkpoint(place: str | Path) -> Path:
    return Path(place) if Path(place).suffix == ".pt" else Path(place) / "checkpoint.pt"


def _state(part: Any) -> Mapping[str, Any]:
    if isinstance(part, Engine):
        return _best(part)
    return bare_network(part).state_dict() if isinstance(part, nn.Module) else part.state_dict()


def _best(engine: Engine) -> dict[str, Any]:
    return {name: getattr(engine.state, name) for name in _BEST if hasattr(engine.state, name)}


def _restore(part: Any, state: Mapping[str, Any], path: Path) -> None:
    if isinstance(part, Engine):
        _restore_best(part, state)
    elif isinstance(part, nn.Module):
        fit_weights(part, state, path)
    else:
        try:
            part.load_state_dict(state)
        except (ValueError, KeyError, RuntimeError) as error:
            kind = type(part).__name__
            raise CheckpointError(f"the state of {kind} does not fit", file=path, found=str(error)) from error


def _restore_best(engine: Engine, state: Mapping[str, Any]) -> None:
    for name in _BEST:
        if name in state:
            setattr(engine.state, name, state[name])


def _continue(engine: Engine, state: Mapping[str, Any]) -> None:
    """Set epoch and iteration; where an epoch has another length by now, whole epochs count."""
    epochs, length = engine.state.max_epochs, engine.state.epoch_length or state["epoch_length"]
    iteration = state["iteration"]
    if length != state["epoch_length"]:
        iteration = iteration // state["epoch_length"] * length
    last = max(epochs or state["max_epochs"], iteration // length)
    engine.load_state_dict({"iteration": iteration, "epoch_length": length, "max_epochs": last})
    _restore_best(engine, state)
