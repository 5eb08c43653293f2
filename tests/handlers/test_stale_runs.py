import os

import pytest

from monai_cortex.handlers.privacy import host_name
from monai_cortex.handlers.stale_runs import close_stale_runs, is_alive


@pytest.fixture
def status(store):
    """Open a run with the given tags, close the stale ones, and tell what it is then."""
    client, experiment = store

    def ask(ours=False, **tags):
        run = client.create_run(experiment, tags={"host": host_name(), **tags}).info.run_id
        close_stale_runs(client, [run] if ours else [])
        return client.get_run(run).info.status

    return ask


@pytest.fixture
def dead(child):
    pid = child(lambda: None)
    os.waitpid(pid, 0)
    return str(pid)


def test_run_of_a_dead_process_is_killed(status, dead):
    assert status(pid=dead) == "KILLED"


def test_run_of_a_living_process_goes_on(status):
    assert status(pid=str(os.getppid())) == "RUNNING"
    assert status(pid="1") == "RUNNING"


def test_run_of_an_earlier_process_of_our_number_is_killed(status):
    assert status(pid=str(os.getpid())) == "KILLED"
    assert status(pid=str(os.getpid()), ours=True) == "RUNNING"


def test_runs_of_other_machines_and_programs_are_left_alone(status, dead):
    assert status(pid=dead, host="another") == "RUNNING"
    assert status() == "RUNNING"


def test_living_and_dead_processes_are_told_apart(dead):
    assert is_alive(str(os.getpid()))
    assert not is_alive(dead)
    assert is_alive("not a number")
