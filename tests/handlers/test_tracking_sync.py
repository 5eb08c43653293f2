import os
import shutil

import pytest
from mlflow import MlflowClient

from monai_cortex.errors import ConfigError, ResourceError
from monai_cortex.handlers import tracking_sync
from monai_cortex.handlers.privacy import host_name
from monai_cortex.handlers.tracking_entries import artifact_entry, deliver, metric_entry, status_entry
from monai_cortex.handlers.tracking_journal import TrackingJournal, journals
from monai_cortex.handlers.tracking_sync import sync_runs


@pytest.fixture
def out(empty_store, tmp_path):
    shutil.copy(empty_store, tmp_path / "mlruns.db")
    return tmp_path


@pytest.fixture
def journal(out):
    """Write the journal of a run of a given process."""

    def write(*entries, pid=None, run_id=None, **run):
        tags = {"host": host_name(), "pid": str(pid or os.getpid())}
        described = {"name": "train-1", "experiment": "e", "tags": tags, "started": 1000, "store": None, **run}
        made = TrackingJournal(out, described)
        for entry in entries:
            made.append(entry, run_id)
        return made

    return write


@pytest.fixture
def runs(out):
    def get():
        client = MlflowClient(f"sqlite:///{out}/mlruns.db")
        return client, client.search_runs([found.experiment_id for found in client.search_experiments()])

    return get


def test_a_run_that_was_never_opened_is_opened(journal, out, runs):
    (out / "report.json").write_text("{}")
    journal(metric_entry({"loss": 0.5}, 1), artifact_entry(out / "report.json", out, None), status_entry("FINISHED"))
    assert sync_runs(out) == (1, 3, 0)
    client, (run,) = runs()
    assert (run.info.run_name, run.info.status, run.info.start_time) == ("train-1", "FINISHED", 1000)
    assert run.data.metrics == {"loss": 0.5}
    assert (out / "mlruns" / run.info.run_id / "artifacts" / "report.json").is_file()
    assert not (out / "tracking_journal").exists()
    assert sync_runs(out) == (0, 0, 0)


def test_a_kill_in_the_middle_doubles_nothing(journal, out, runs, monkeypatch):
    told = [metric_entry({"loss": value}, step) for step, value in enumerate((0.5, 0.4, 0.3))]
    journal(*told, status_entry("FINISHED"))
    left = [2]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        deliver(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(tracking_sync, "deliver", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sync_runs(out)
    assert len(journals(out)) == 1
    sync_runs(out)
    client, (run,) = runs()
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(entry.step, entry.value) for entry in history] == [(0, 0.5), (1, 0.4), (2, 0.3)]


def test_entries_of_a_run_that_goes_on_are_kept(journal, out, runs):
    journal(metric_entry({"loss": 0.5}, 1), pid=os.getppid())
    assert sync_runs(out) == sync_runs(out) == (1, 1, 0)
    client, (run,) = runs()
    assert run.info.status == "RUNNING"
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 1
    assert len(journals(out)) == 1


def test_a_run_whose_process_was_killed_is_closed(journal, out, runs, child):
    pid = child(lambda: None)
    os.waitpid(pid, 0)
    journal(metric_entry({"loss": 0.5}, 1), pid=pid)
    sync_runs(out)
    assert runs()[1][0].info.status == "KILLED"
    assert journals(out) == []


def test_known_run_gets_its_rest(journal, out, runs):
    client = MlflowClient(f"sqlite:///{out}/mlruns.db")
    run_id = client.create_run("0").info.run_id
    journal(metric_entry({"loss": 0.5}, 1), status_entry("FAILED"), run_id=run_id)
    sync_runs(out)
    (run,) = runs()[1]
    assert (run.info.run_id, run.info.status) == (run_id, "FAILED")


def test_lost_artifacts_are_counted(journal, out):
    journal(artifact_entry(out / "gone.txt", out, None), status_entry("FINISHED"))
    assert sync_runs(out) == (1, 1, 1)


def test_a_store_that_does_not_answer_keeps_the_journal(journal, out):
    journal(status_entry("FINISHED"), store="http://127.0.0.1:9")
    with pytest.raises(ResourceError, match="kept"):
        sync_runs(out)
    assert len(journals(out)) == 1
    assert sync_runs(out, f"sqlite:///{out}/mlruns.db") == (1, 1, 0)


def test_a_store_whose_path_was_not_written_down_is_asked_for(journal, out):
    journal(status_entry("FINISHED"), store="")
    with pytest.raises(ConfigError, match="--tracking-uri"):
        sync_runs(out)
