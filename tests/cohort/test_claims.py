import json
import os
import signal
import time

import pytest

from monai_cortex.cohort.claims import Claims
from monai_cortex.handlers.privacy import host_name


def _held(folder, subject):
    """A process that holds a claim; gives its id."""
    pid = os.fork()
    if not pid:
        try:
            Claims(folder).take(subject)
            folder.path.joinpath("held").touch()
            time.sleep(60)
        finally:
            os._exit(1)
    while not folder.path.joinpath("held").exists():
        time.sleep(0.01)
    return pid


def test_claim_keeps_others_off_until_its_process_is_dead(folder):
    pid = _held(folder, "sub-1")
    claims = Claims(folder)
    assert not claims.take("sub-1")
    assert claims.take("sub-2")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert claims.take("sub-1")


def test_released_claim_is_free(folder):
    claims = Claims(folder)
    assert claims.take("sub-1")
    claims.release()
    assert not list(folder.claims.iterdir())


def test_claim_tells_no_name_of_the_machine(folder):
    import socket

    Claims(folder).take("sub-1")
    (claim,) = folder.claims.iterdir()
    assert json.loads(claim.read_text())["host"] == host_name() != socket.gethostname()


@pytest.mark.parametrize(("age", "free"), [(5, False), (3600, True)])
def test_claim_of_another_machine_needs_signs_of_life(folder, age, free):
    path = folder.claim("sub-1")
    path.write_text(json.dumps({"host": "another", "pid": os.getpid(), "started": "1"}))
    then = time.time() - age
    os.utime(path, (then, then))
    assert Claims(folder).take("sub-1") == free


@pytest.mark.parametrize("owner", [{"started": "0"}, {"pid": 2**22 + 1}])
def test_number_of_a_process_that_is_another_now(folder, owner):
    claims = Claims(folder)
    claims.take("sub-1")
    path = folder.claim("sub-1")
    path.write_text(json.dumps(json.loads(path.read_text()) | owner))
    assert Claims(folder).take("sub-1")


@pytest.mark.parametrize("text", ["", '{"host"', "[]", '{"host": "another"}'])
def test_claim_that_was_cut_off_is_void(folder, text):
    folder.claim("sub-1").write_text(text)
    assert Claims(folder).take("sub-1")


def test_work_folder_goes_with_the_work_and_the_dead_leave_nothing(folder):
    (folder.work / f"{host_name()}-{2**22 + 1}-7" / "run").mkdir(parents=True)
    (folder.path / ".sub-1.7.partial").mkdir()
    claims = Claims(folder)
    with claims.at_work():
        assert [path.name for path in folder.work.iterdir()] == [claims.work.name]
        assert not list(folder.path.glob(".*.partial"))
    assert not list(folder.work.iterdir())


def test_leftovers_stay_while_another_process_is_at_work(folder):
    with Claims(folder).at_work():
        (folder.path / ".sub-1.7.partial").mkdir()
        with Claims(folder).at_work():
            assert (folder.path / ".sub-1.7.partial").is_dir()


def test_claims_of_the_living_are_renewed(folder, monkeypatch):
    monkeypatch.setattr("monai_cortex.cohort.claims._BEAT", 0.01)
    claims = Claims(folder)
    with claims.at_work():
        claims.take("sub-1")
        os.utime(folder.claim("sub-1"), (0, 0))
        end = time.monotonic() + 10
        while folder.claim("sub-1").stat().st_mtime < 1000:
            assert time.monotonic() < end
            time.sleep(0.01)
