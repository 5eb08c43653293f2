"""Errors that a user can mend are shown as one message, not as a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from types import TracebackType

from monai_cortex.errors import CortexError

__all__ = ["plain_errors"]


@cache
def plain_errors() -> None:
    """Let an uncaught error whose chain holds a CortexError print only that one; the exit code stays 1.

    MONAI's config parser wraps what goes wrong in a component several times over. All other errors keep their
    traceback, and so do these where ``MONAI_CORTEX_DEBUG=1``. A second call changes nothing.
    """
    previous = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        plain = next((link for link in _chain(error) if isinstance(link, CortexError)), None)
        if plain is None or os.environ.get("MONAI_CORTEX_DEBUG") == "1":
            previous(kind, error, traceback)
        else:
            sys.stderr.write(f"{type(plain).__name__}: {plain}\n")

    sys.excepthook = show


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it and what it interrupted, each once, the outermost first."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        waiting += [link.__cause__, link.__context__]
        yield link
