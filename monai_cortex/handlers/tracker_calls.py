"""Calls to a tracker that may be slow, broken or gone, and must not hurt the run that they describe."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

__all__ = ["TrackerCalls"]

_log = logging.getLogger(__name__)
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
T = TypeVar("T")

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


class TrackerCalls:
    """Make calls that may altogether waste only so much time on failures.

    Every delivery passes here, in order, so this is where a journal for later replay has its place.

    Args:
        patience: seconds that failing calls may take, all of them together.

    Attributes:
        undelivered: how many calls have failed or were not even tried.
    """

    def __init__(self, patience: float = 8.0) -> None:
        self.patience = patience
        self.undelivered = 0

    def __call__(self, action: Callable[[], T], allowance: float = 0.0) -> T | None:
        """Result of the action, or None if it has failed, takes too long, or too much time has been lost before.

        Args:
            action: runs in a thread of its own, which is left behind if it does not come to an end.
            allowance: seconds on top of the patience that this action may rightly need.
        """
        if self.patience > 0:
            start = time.monotonic()
            try:
                return _within(self.patience + allowance, action)
            except Exception as error:  # whatever a tracker raises, the run goes on
                self.patience -= time.monotonic() - start
                self._warn(error)
        self.undelivered += 1
        return None

    def _warn(self, error: Exception) -> None:
        if not self.undelivered:
            reason = (str(error).splitlines() or [""])[0][:200]
            _log.warning("tracking has failed (%s: %s); the run goes on without it", type(error).__name__, reason)


def _within(seconds: float, action: Callable[[], T]) -> T:
    outcome: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((action(), None))
        except Exception as error:
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
