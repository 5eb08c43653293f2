import json
import os
import signal

import pytest

from monai_cortex.errors import ResourceError
from monai_cortex.handlers.output_lock import output_lock
from monai_cortex.handlers.privacy import host_name

LOCK = ".training.lock"


@pytest.fixture
def holder(child, wait, tmp_path):
    """A process that holds a folder until it is killed; gives the folder and its process id."""
    folder = tmp_path / "out"

    def hold():
        with output_lock(folder):
            (tmp_path / "ready").touch()
            signal.pause()

    pid = child(hold)
    wait((tmp_path / "ready").exists)
    return folder, pid


def test_a_folder_is_kept_and_given_back(tmp_path):
    with output_lock(tmp_path / "new"):
        held = json.loads((tmp_path / "new" / LOCK).read_text())
        with output_lock(tmp_path / "new"):  # the same process
            pass
        assert held == {"host": host_name(), "pid": os.getpid()}
        assert (tmp_path / "new" / LOCK).exists()
    assert list((tmp_path / "new").iterdir()) == []


def test_second_process_is_refused(holder):
    folder, pid = holder
    with pytest.raises(ResourceError, match=f"process {pid} of this machine"), output_lock(folder):
        pass
    assert (folder / LOCK).exists()


def test_lock_of_a_killed_process_is_taken_over(holder, caplog):
    folder, pid = holder
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with output_lock(folder):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()
    assert f"process {pid} has died" in caplog.text
    assert not (folder / LOCK).exists()


def test_children_of_a_killed_process_do_not_hold_its_lock(tmp_path, child, wait):
    def hold():
        with output_lock(tmp_path / "out"):
            if not os.fork():
                (tmp_path / "orphan").write_text(str(os.getpid()))
                signal.pause()
            signal.pause()

    pid = child(hold)
    wait(lambda: (tmp_path / "orphan").exists() and (tmp_path / "orphan").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with output_lock(tmp_path / "out"):
        pass
    os.kill(int((tmp_path / "orphan").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("content", ["", '{"pid', "[]"])
def test_half_a_lock_counts_for_nothing(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with output_lock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_lock_of_another_machine_is_left_alone(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with pytest.raises(ResourceError, match=f"remove {LOCK}"), output_lock(tmp_path):
        pass
    assert "elsewhere" in (tmp_path / LOCK).read_text()
