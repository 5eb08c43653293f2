import os
import pickle
import signal
import sys
import time

import pytest

from monai_cortex.cohort.launcher import ShardJob, launch
from monai_cortex.cohort.shard import Shard
from monai_cortex.errors import ConfigError


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"monai_cortex\[cluster\]"):
        launch([], 1, tmp_path, {})


def test_job_can_be_sent_elsewhere():
    job = pickle.loads(pickle.dumps(ShardJob(["a", "b"], Shard(2, 3))))
    assert (job.words, job.shard) == (["a", "b"], Shard(2, 3))


def test_interrupted_job_is_submitted_again():
    pytest.importorskip("submitit", reason="submitit is not installed")
    job = ShardJob(["a"], Shard(1, 2))
    assert job.checkpoint().function is job


def test_job_gives_the_exit_code_of_its_shard():
    assert ShardJob(["no_such_method", "data", "out"], Shard(1, 1))() == 2


def test_job_that_is_interrupted_ends_its_process(monkeypatch, tmp_path):
    """The shard's process must not go on by itself while the job waits in the queue again."""
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))
        monkeypatch.setattr("monai_cortex.cohort.launcher._PROGRAM", ("-c", _SLEEP.format(tmp_path / "pid")))
        code = 1
        try:
            ShardJob([], Shard(1, 1))()
        except SystemExit as stop:
            code = stop.code
        finally:
            os._exit(code)
    end = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(pid, signal.SIGUSR1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}")


_SLEEP = "import os, time; open('{}', 'w').write(str(os.getpid())); time.sleep(60)"


def test_unknown_parameter_is_refused(tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed")
    with pytest.raises(ConfigError, match="cannot be used"):
        launch([], 1, tmp_path, {"no_such_parameter": 3}, cluster="local")
