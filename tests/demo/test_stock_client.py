import fcntl
import os
import signal
import struct
import sys
import termios
import time

import pytest

from monai_cortex.demo.stock_client import Step, run_steps
from monai_cortex.errors import CortexError

MESSAGE = (
    "InputFileError: the file is damaged\n  in: a.nii.gz\n  found: 3 bytes\n  expected: 9\n  remedy: copy it again"
)


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Put a shell script in the place of Python."""

    def write(script):
        path = tmp_path / "client"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))
        return path

    return write


def test_command_is_printed_as_typed_and_its_output_passed_on(client, capfd):
    client("echo numbers; echo a bar >&2")
    run_steps([Step("try", ["--config_file", "a b.json", "--other", "['c.json','d.json']"]), Step("again", [])])
    printed = capfd.readouterr()
    assert "$ python -m monai.bundle run --config_file 'a b.json' --other \"['c.json','d.json']\"" in printed.out
    assert printed.out.count("numbers") == printed.err.count("a bar") == 2


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        (MESSAGE, ["try: InputFileError: the file is damaged", "in: a.nii.gz", "expected: 9", "remedy: copy it again"]),
        ("Traceback\n  File\njson.JSONDecodeError: no value", ["try: json.JSONDecodeError: no value", "DEBUG=1"]),
        ("", ["try: failed", "found: exit code 7", "remedy: run the command above with MONAI_CORTEX_DEBUG=1"]),
    ],
    ids=["an error of ours", "a traceback", "silence"],
)
def test_failure_is_the_one_that_the_command_has_shown(client, said, parts):
    client(f"printf '%s\\n' '{said}' >&2; exit 7")
    with pytest.raises(CortexError) as caught:
        run_steps([Step("try", [])])
    assert [part for part in parts if part not in str(caught.value)] == []
    assert len(str(caught.value).splitlines()) <= 5


def test_bars_are_drawn_where_there_is_a_terminal_as_wide_as_it_is(client, monkeypatch, capfd):
    client("stty size <&2 >&2")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 33, 91, 0, 0))
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal, monkeypatch.context() as changed:
        changed.setattr(sys, "stderr", terminal)
        run_steps([Step("try", [])])
    assert "33 91" in capfd.readouterr().err


def test_interrupted_command_is_asked_to_end_and_then_made_to(client, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_cortex.demo.stock_client._PATIENCE", (0.5, 0.5))
    client(f"trap 'echo asked >> {tmp_path}/asked' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done")

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_steps([Step("try", [])])
    signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - start < 10
    assert (tmp_path / "asked").read_text() == "asked\n" * 2
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
