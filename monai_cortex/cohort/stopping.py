"""Stop when asked to, but not between two steps that belong together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stoppable", "undisturbed"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Asked:
    """Which signal has come, and whether it has to wait."""

    number = 0
    waits = False


def _stop() -> None:
    for name in _SIGNALS:
        signal.signal(name, signal.SIG_IGN)  # once is enough: what follows takes a moment
    os.write(2, b"\nstopping; finished subjects are kept\n")
    raise SystemExit(128 + _Asked.number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise SystemExit, with the exit code that shells expect: 130 and 143.

    Outside the main thread, which alone hears of signals, this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, _: object) -> None:
        _Asked.number = number
        if not _Asked.waits:
            _stop()

    before = {number: signal.signal(number, asked) for number in _SIGNALS}
    try:
        yield
    finally:
        _Asked.number = 0
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a signal wait until the end of the block."""
    _Asked.waits = True
    try:
        yield
    finally:
        _Asked.waits = False
    if _Asked.number:
        _stop()
