"""The process that computes, as seen by the one that watches over it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_cortex import errors
from monai_cortex.errors import CortexError, ResourceError

__all__ = ["Failure", "WorkerProcess"]

_COMMAND = (sys.executable, "-m", "monai_cortex.cohort.worker")
_QUIET = {"PYTHONWARNINGS": "ignore", "MONAI_FAIL_ON_DUPLICATE_CONFIG": "1", "MPLBACKEND": "Agg"}
_LAST_WORDS = 4000  # bytes of what a process has said before it died
_FAREWELL = 5.0


class Failure(Exception):  # noqa: N818 (an outcome, not a fault of the program)
    """A request that was not fulfilled.

    Args:
        error: what went wrong; of an error that is not ours only class and message are known.
        kind: name of its class.
        where: in the code, or the last words of the process.
    """

    def __init__(self, error: CortexError, kind: str, where: list[str]) -> None:
        super().__init__(error, kind, where)
        self.error, self.kind, self.where = error, kind, where

    @property
    def message(self) -> str:
        """Class and message, as shown to the user."""
        return f"{self.kind}: {self.error}"


class WorkerProcess:
    """Start a process that computes, ask it for one thing at a time, and start another one when it has died.

    Args:
        setup: see :class:`~monai_cortex.cohort.method_session.Setup`, as a mapping.
        environment: for the process, on top of our own.
    """

    def __init__(self, setup: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._setup, self._environment = dict(setup), dict(environment)
        self._process: Any = None
        self._words: Any = None

    def start(self) -> None:
        """Start the process unless it runs, and wait until its networks are ready.

        Raises:
            Failure: the config cannot be used, or the process has died.
        """
        if self._process is None:
            self._words = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = self._spawn()
            self.ask(self._setup)

    def ask(self, request: Mapping[str, Any], subject: str = "") -> Any:
        """Send a request and wait for its answer; see :meth:`send` and :meth:`answer`."""
        self.send(request)
        return self.answer(subject)

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a request: see :func:`monai_cortex.cohort.worker.serve`."""
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # it has died; asking for the answer says of what
            return

    def answer(self, subject: str = "") -> Any:
        """Wait for the answer to the request that was sent last.

        Args:
            subject: that the request is about, for messages.

        Raises:
            Failure: it was not fulfilled; a process that has died is gone.
        """
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._death(subject)
        answer = json.loads(line)
        if "error" not in answer:
            return answer["ok"]
        if answer.get("restart"):
            self.stop()
        raise _failure(answer)

    def stop(self) -> None:
        """End the process, at once if it is at work."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, self._words):
            try:
                stream.close()
            except BrokenPipeError:
                continue

    def _spawn(self) -> Any:
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            encoding="utf-8",
            env={**os.environ, **_QUIET, "PYTHONPATH": path, **self._environment},
            start_new_session=True,  # Ctrl-C is for the process that watches
        )

    def _death(self, subject: str) -> Failure:
        code = self._process.wait(_FAREWELL)
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - _LAST_WORDS))
        words = self._words.read().decode(errors="replace").splitlines()[-20:]
        self.stop()
        out_of_memory = code == -signal.SIGKILL
        kind = ResourceError if out_of_memory else CortexError
        error = kind(
            "the process that computed has died",
            subject=subject,
            found=f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}",
            expected="an answer",
            remedy="allow less memory (--memory-limit) or give the machine more: the system kills what takes too much"
            if out_of_memory
            else "run this subject alone with --participant-label, and look at its crash file",
        )
        return Failure(error, kind.__name__, words)


def _failure(answer: Mapping[str, Any]) -> Failure:
    kind = getattr(errors, answer["error"], None)
    if isinstance(kind, type) and issubclass(kind, CortexError):
        problem, file, subject, found, expected, remedy = answer["parts"]
        error = kind(problem, file=file, subject=subject, found=found, expected=expected, remedy=remedy)
    else:
        error = CortexError(answer["message"].strip() or "no message")
    return Failure(error, answer["error"], answer["where"])
