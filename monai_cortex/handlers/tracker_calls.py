"""Calls to a tracker that may be slow, broken or gone, and must not hurt the run that they describe."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

__all__ = ["TrackerCalls"]

_log = logging.getLogger(__name__)


class TrackerCalls:
    """Make calls that may altogether waste only so much time on failures.

    What was not delivered is the caller's to keep; an action that was left behind may still come to its end.

    Args:
        patience: seconds that failing calls may take, all of them together.

    Attributes:
        undelivered: how many calls have failed or were not even tried.
    """

    def __init__(self, patience: float = 8.0) -> None:
        self.patience = patience
        self.undelivered = 0

    def __call__(self, action: Callable[[], object], allowance: float = 0.0) -> bool:
        """Whether the action was done; not if it fails, takes too long, or too much time has been lost before.

        Args:
            action: runs in a thread of its own, which is left behind if it does not come to an end.
            allowance: seconds on top of the patience that this action may rightly need.
        """
        if self.patience > 0:
            start = time.monotonic()
            try:
                _within(self.patience + allowance, action)
                return True
            except Exception as error:  # whatever a tracker raises, the run goes on
                self.patience -= time.monotonic() - start
                self._warn(error)
        self.undelivered += 1
        return False

    def _warn(self, error: Exception) -> None:
        if not self.undelivered:
            reason = (str(error).splitlines() or [""])[0][:200]
            _log.warning(
                "tracking has failed (%s: %s); the run goes on and keeps what was not delivered",
                type(error).__name__,
                reason,
            )


def _within(seconds: float, action: Callable[[], object]) -> None:
    outcome: SimpleQueue[Exception | None] = SimpleQueue()

    def work() -> None:
        try:
            action()
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=work, daemon=True).start()
    try:
        error = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
