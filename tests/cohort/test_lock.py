import os
import signal
import time

from monai_cortex.cohort.lock import exclusive, locked


def _counting(path, counter):
    for _ in range(50):
        with exclusive(path):
            number = int(counter.read_text())
            time.sleep(0.0002)
            counter.write_text(str(number + 1))


def _holding(path, sign):
    with exclusive(path):
        sign.touch()
        time.sleep(60)


def _ending(action):
    """Do something in a forked process, which must not go on as a second run of the tests."""
    code = 1
    try:
        action()
        code = 0
    finally:
        os._exit(code)


def test_one_process_at_a_time(tmp_path):
    counter, pids = tmp_path / "counter", []
    counter.write_text("0")
    for _ in range(3):
        pid = os.fork()
        if not pid:
            _ending(lambda: _counting(tmp_path / "lock", counter))
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 3
    assert counter.read_text() == "150"


def test_killed_holder_holds_nothing(tmp_path):
    pid = os.fork()
    if not pid:
        _ending(lambda: _holding(tmp_path / "lock", tmp_path / "held"))
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with exclusive(tmp_path / "lock"):
        pass


def test_files_without_locks_are_used_all_the_same(tmp_path):
    class NoLocks:
        """A file of a system that knows no locks: to ask for one is an error."""

        def fileno(self):
            return 10**6

    with locked(NoLocks()):
        passed = True
    assert passed
