"""The process that computes: it is told a subject a line, and answers a line; it ends with whoever has started it."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, Any

from monai_cortex.cohort.crash import frames, root_error
from monai_cortex.errors import CortexError

__all__ = ["serve"]


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more.

    The first one is a :class:`~monai_cortex.cohort.method_session.Setup`; then come ``{"subject": name}`` and
    ``{"track": arguments of track_cohort}``. An answer is ``{"ok": ...}`` or ``{"error": ..., "message": ...,
    "where": [...], "restart": bool}``.

    Args:
        requests: lines of JSON. When it ends in the middle of a computation, so does the process: nobody waits for it.
        answers: lines of JSON.
    """
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(requests, lines, busy), daemon=True).start()
    session: Any = None
    while line := lines.get():
        busy.set()
        request = json.loads(line)
        if "files" in request:
            session, answer = _begin(request)
        elif "subject" in request:
            answer = _answer(partial(session.run, request["subject"]), request["subject"], session)
        else:
            answer = _answer(partial(_track, request["track"]), "", session)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        busy.clear()


def _listen(requests: IO[str], lines: queue.SimpleQueue[str], busy: threading.Event) -> None:
    for line in requests:
        lines.put(line)
    if busy.is_set():
        os._exit(1)
    lines.put("")


def _begin(request: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    from monai_cortex.cohort.memory_use import limit_memory  # noqa: PLC0415 (torch and MONAI take seconds)
    from monai_cortex.cohort.method_session import MethodSession, Setup  # noqa: PLC0415

    setup = Setup(**request)
    try:
        session = MethodSession(setup)
    except Exception as error:
        return None, _described(root_error(error))
    if setup.memory_gb:
        limit_memory(setup.memory_gb)
    return session, {"ok": {}}


def _answer(action: Callable[[], Any], subject: str, session: Any) -> dict[str, Any]:
    from monai_cortex.cohort.memory_use import as_resource_error  # noqa: PLC0415

    try:
        return {"ok": action()}
    except Exception as error:
        known = root_error(error)
        too_large = as_resource_error(error, subject, getattr(session, "memory_gb", None))
        if too_large is None or isinstance(known, CortexError):
            return _described(known)
        return {**_described(too_large.with_traceback(known.__traceback__)), "restart": True}


def _track(arguments: Mapping[str, Any]) -> dict[str, Any]:
    from monai_cortex.handlers import track_cohort  # noqa: PLC0415

    return {"run": track_cohort(**arguments)}


def _described(error: BaseException) -> dict[str, Any]:
    parts = error.args if isinstance(error, CortexError) else ()
    return {"error": type(error).__name__, "message": str(error), "parts": list(parts), "where": frames(error)}


def _main() -> None:
    # Whatever libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    _main()
