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

__all__ = ["Terminated", "during_run", "orderly_termination"]

_PATIENCE = 20.0  # seconds; batch systems kill about 30 s after they have asked

_requested = threading.Event()


class Terminated(SystemExit):
    """The process was asked to stop by SIGTERM; the exit code is 143, as shells report it."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


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
        engine: looks for the signal at the end of its iterations.
        patience: seconds after which a long iteration is ended in the middle; so does a second signal at once.

    Raises:
        Terminated: with exit code 143, out of the context.
    """
    if not engine.has_event_handler(_leave, Events.ITERATION_COMPLETED):
        engine.add_event_handler(Events.ITERATION_COMPLETED, _leave)
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
        _leave(engine)  # a signal that came after the last iteration
    finally:
        again.cancel()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _requested.clear()


def _leave(_: Engine) -> None:
    if _requested.is_set():
        raise Terminated
