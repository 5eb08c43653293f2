import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_cortex.cohort.worker_process import Failure, WorkerProcess
from monai_cortex.errors import InputFileError, ResourceError

ECHO = """
import json, os, signal, sys
for line in sys.stdin:
    request = json.loads(line)
    if "die" in request:
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), request["die"]) if request["die"] > 0 else os._exit(-request["die"])
    print(json.dumps(request.get("answer", {"ok": os.getpid()})), flush=True)
"""


@pytest.fixture
def worker(monkeypatch):
    """A worker that answers what it is told to, at once: real ones need seconds to begin."""
    monkeypatch.setattr("monai_cortex.cohort.worker_process._COMMAND", (sys.executable, "-c", ECHO))
    made = WorkerProcess({"files": []}, {"GREETING": "hello"})
    made.start()
    yield made
    made.stop()


def test_requests_are_answered_by_one_process(worker):
    assert worker.ask({}) == worker.ask({}) != os.getpid()
    worker.start()
    assert worker.ask({"answer": {"ok": [1, "\u00fc"]}}) == [1, "\u00fc"]


def test_errors_of_ours_come_back_whole(worker):
    parts = ["bad", "a.nii", "sub-1", "x", "y", "z"]
    with pytest.raises(Failure) as caught:
        worker.ask({"answer": {"error": "InputFileError", "message": "m", "parts": parts, "where": ["a:1"]}})
    assert isinstance(caught.value.error, InputFileError)
    assert caught.value.message.splitlines()[:2] == ["InputFileError: bad", "  in: a.nii (subject sub-1)"]
    assert caught.value.where == ["a:1"]
    worker.ask({})


def test_other_errors_keep_their_name(worker):
    with pytest.raises(Failure) as caught:
        worker.ask({"answer": {"error": "KeyError", "message": "'x'", "parts": [], "where": []}})
    assert caught.value.message == "KeyError: 'x'"


def test_process_that_asks_for_a_new_one_is_replaced(worker):
    before = worker.ask({})
    with pytest.raises(Failure):
        worker.ask({"answer": {"error": "ValueError", "message": "m", "parts": [], "where": [], "restart": True}})
    worker.start()
    assert worker.ask({}) != before


@pytest.mark.parametrize(
    ("die", "found", "kind"),
    [
        (signal.SIGKILL, "killed by SIGKILL", ResourceError),
        (signal.SIGSEGV, "killed by SIGSEGV", None),
        (-7, "code 7", None),
    ],
)
def test_death_is_told_and_survived(worker, die, found, kind):
    with pytest.raises(Failure, match="has died") as caught:
        worker.ask({"die": int(die)}, "sub-1")
    assert found in caught.value.message
    assert "sub-1" in caught.value.message
    assert caught.value.where[-1] == "last words"
    assert isinstance(caught.value.error, ResourceError) == (kind is ResourceError)
    worker.start()
    assert worker.ask({})


def test_process_ends_with_the_one_that_watches():
    """A killed watcher leaves no process behind: its worker sees its requests end."""
    code = f"""
import sys, time
from monai_cortex.cohort import worker_process
worker_process._COMMAND = (sys.executable, "-c", {ECHO!r})
worker = worker_process.WorkerProcess({{}}, {{}})
worker.start()
print(worker.ask({{}}), flush=True)
time.sleep(60)
"""
    watcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(watcher.stdout.readline())
    watcher.kill()
    watcher.wait()
    watcher.stdout.close()
    end = time.monotonic() + 20
    while _runs(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False
