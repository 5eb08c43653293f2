"""Fault tests: each case in a process of its own, with limits of time and memory, observed from outside."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from monai_cortex.errors import CortexError


class Outcome(NamedTuple):
    """How a process has ended; ``peak`` is its largest resident memory in bytes."""

    code: int
    out: str
    err: str
    seconds: float
    peak: int


@pytest.fixture(scope="session")
def rounds(request):
    """How often to repeat a random fault: few in the quick suite, all with ``--whole``."""
    whole = request.config.getoption("whole")
    return lambda few, all_of_them: all_of_them if whole else few


@pytest.fixture(scope="session")
def refused():
    """Expect an error of exactly this class that keeps the contract and holds these words."""

    def expect(kind, call, *words):
        with pytest.raises(CortexError) as caught:
            call()
        text = str(caught.value)
        assert type(caught.value) is kind, text
        assert [str(word) for word in words if str(word) not in text] == [], text
        assert len(text.splitlines()) <= 5
        assert "remedy: " in text
        assert str(pickle.loads(pickle.dumps(caught.value))) == text

    return expect


@pytest.fixture
def limited(tmp_path):
    """Run words of Python, or a command of words, within limits; gives an Outcome. Exit -9: it took too long."""

    def run(*words, seconds=30, memory=None, environment=None, cwd=None):
        command = [sys.executable, "-c", words[0]] if len(words) == 1 else list(words)
        logs = [tmp_path / f".log-{os.urandom(4).hex()}-{name}" for name in ("out", "err")]
        with logs[0].open("wb") as out, logs[1].open("wb") as err:
            start = time.monotonic()
            process = subprocess.Popen(
                command,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
                start_new_session=True,
            )
            if memory:
                resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
            code, usage = _end(process, start + seconds)
        texts = [log.read_text(errors="replace") for log in logs]
        for log in logs:
            log.unlink()
        return Outcome(code, *texts, time.monotonic() - start, usage.ru_maxrss * 1024)

    return run


def _end(process, deadline):
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.01)
