"""Run an engine inside a context, and end it in an orderly way when the process is asked to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

from ignite.engine import Engine, Events

from monai_cortex.errors import ResourceError

__all__ = ["Terminated", "during_run", "named_worker_loss", "orderly_termination"]

_PATIENCE = 20.0  # seconds; batch systems kill about 30 s after they have asked

_requested = threading.Event()


class Terminated(SystemExit):
    """The process was asked to stop by SIGTERM; the exit code is 143, as shells report it.

    Attributes:
        orderly: whether an iteration had just ended, so that nothing is half done.
    """

    def __init__(self, *, orderly: bool = False) -> None:
        super().__init__(128 + signal.SIGTERM)
        self.orderly = orderly


def during_run(engine: Engine, context: Callable[[], AbstractContextManager[object]]) -> None:
    """Make every later ``engine.run()`` happen inside a context, which then sees how the run ends.

    Events cannot tell: the first handler of EXCEPTION_RAISED that raises keeps the exception from the others, and what
    other handlers of COMPLETED write may not be there yet.

    Args:
        engine: any ignite engine; its attribute ``run`` is replaced.
        context: makes a new context manager for each run; the one added last is the outermost.
    """
    run = engine.run

    @wraps(run)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with context():
            return run(*args, **kwargs)

    engine.run = inside  # type: ignore[method-assign]


@contextmanager
def orderly_termination(engine: Engine, patience: float = _PATIENCE) -> Iterator[None]:
    """Let SIGTERM end the engine after the current iteration, so that its state can be saved.

    Without effect outside the main thread, and where somebody else already handles the signal.

    Args:
        engine: looks for the signal at the end of its iterations and epochs.
        patience: seconds after which a long iteration is ended in the middle; so does a second signal at once.

    Raises:
        Terminated: with exit code 143, out of the context; also in place of an error that came after the signal.
    """
    if not engine.has_event_handler(_leave, Events.EPOCH_COMPLETED):
        engine.add_event_handler(Events.ITERATION_COMPLETED, _leave_within)
        engine.add_event_handler(Events.EPOCH_COMPLETED, _leave)
    with _listening(patience):
        try:
            yield
        except Exception as error:
            if _requested.is_set():  # batch systems ask all processes, and here the loss of a data worker is an error
                raise Terminated from error
            raise
        _leave(engine)  # a signal that came after the last iteration


@contextmanager
def _listening(patience: float) -> Iterator[None]:
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    again = threading.Timer(patience, os.kill, (os.getpid(), signal.SIGTERM))
    again.daemon = True

    def request(*_: object) -> None:
        if _requested.is_set():
            raise Terminated
        _requested.set()
        again.start()

    signal.signal(signal.SIGTERM, request)
    try:
        yield
    finally:
        again.cancel()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _requested.clear()


@contextmanager
def named_worker_loss() -> Iterator[None]:
    """Say what to do where a process that loads data was killed.

    Raises:
        ResourceError: names the process, in place of torch's RuntimeError.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not text.startswith("DataLoader worker"):
            raise
        raise ResourceError(
            "a process that loads data has died",
            found=text.splitlines()[0],
            expected="workers that live as long as the training",
            remedy="most often memory is short: set a smaller num_workers, or 0; then add --resume true",
        ) from error


def _leave_within(engine: Engine) -> None:
    """Leave within an epoch; at its end what belongs to the epoch, a scheduler's step for instance, comes first."""
    length = engine.state.epoch_length
    if not length or engine.state.iteration % length:
        _leave(engine)


def _leave(_: Engine) -> None:
    if _requested.is_set():
        raise Terminated(orderly=True)
