"""Commands of the stock client, printed as they are run: what they say is passed on, and their last words are kept."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import click

from monai_cortex.errors import CortexError

__all__ = ["Step", "run_steps"]

_KEPT = 8192  # bytes of what a command said last
_MESSAGE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*(?:\n  \w+: .*)*", re.MULTILINE)
_REMEDY = "run the command above with MONAI_CORTEX_DEBUG=1 in the environment"
_PATIENCE = 2.0, 20.0  # seconds after the first and the second SIGTERM


class Step(NamedTuple):
    """One call of ``python -m monai.bundle run``.

    Attributes:
        title: what it does.
        arguments: of the command, after ``run``.
    """

    title: str
    arguments: Sequence[str]


def run_steps(steps: Sequence[Step]) -> None:
    """Run the steps one after the other, their output below each command.

    Args:
        steps: what to run.

    Raises:
        CortexError: a step ends with another exit code than 0; says what the step said last.
    """
    for step in steps:
        command = [sys.executable, "-m", "monai.bundle", "run", *step.arguments]
        click.secho(step.title, bold=True)
        click.echo("$ " + " ".join(["python", *map(_as_typed, command[1:])]))
        code, words = _run(command)
        if code:
            raise _error(step.title, code, words)
        click.echo("")


def _run(command: Sequence[str]) -> tuple[int, str]:
    # Warnings of libraries would bury the progress bars; MONAI's on trusting configs does not apply to our own.
    quiet = {"PYTHONWARNINGS": "ignore", "MONAI_FAIL_ON_DUPLICATE_CONFIG": "1"}
    # Networks this small gain little from a second thread, and lose much where the cores are shared: threads wait
    # for each other in busy loops.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **quiet}
    reading, writing = _terminal() if sys.stderr.isatty() else os.pipe()
    # In a session of its own: Ctrl-C reaches this process alone, which then ends the other one in order.
    process = subprocess.Popen(command, env=environment, stderr=writing, start_new_session=True)
    os.close(writing)
    try:
        words = _pass_on(reading)
        return process.wait(), words
    finally:
        _end(process)
        os.close(reading)


def _terminal() -> tuple[int, int]:
    """A terminal like ours: progress bars are drawn on nothing else."""
    import fcntl  # noqa: PLC0415 (not everywhere)
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, fcntl.ioctl(sys.stderr, termios.TIOCGWINSZ, bytes(8)))
    return reading, writing


def _pass_on(reading: int) -> str:
    """Write what comes to our standard error; gives the end of it."""
    words = b""
    with suppress(OSError):  # that is how a terminal says that nobody writes any more
        while chunk := os.read(reading, _KEPT):
            os.write(2, chunk)
            words = (words + chunk)[-_KEPT:]
    return words.decode(errors="replace").replace("\r\n", "\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM once asks for an end after the iteration, twice for one at once: both close the run of MLflow."""
    for patience in _PATIENCE:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
    if process.poll() is None:
        process.kill()
        process.wait()


def _error(title: str, code: int, words: str) -> CortexError:
    """The error that a step has shown, or that it has shown none."""
    messages = _MESSAGE.findall(words)
    if not messages:
        return CortexError(f"{title}: failed", found=f"exit code {code}", expected="0", remedy=_REMEDY)
    problem, *rows = messages[-1].splitlines()
    parts = dict(row.strip().split(": ", 1) for row in rows)
    return CortexError(
        f"{title}: {problem}",
        file=parts.get("in", ""),
        found=parts.get("found", ""),
        expected=parts.get("expected", ""),
        remedy=parts.get("remedy", _REMEDY),
    )


def _as_typed(word: str) -> str:
    """A word of a command as a person would quote it: a list of files within double quotes."""
    return f'"{word}"' if "'" in word else shlex.quote(word)
