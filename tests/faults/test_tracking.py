"""A tracker that is down, lost, locked or read-only costs neither the training nor its metrics."""

import logging
import shutil
import socket
import sqlite3
import time
from contextlib import closing

import pytest
from mlflow import MlflowClient

from monai_cortex.handlers import CheckpointWriter, MLflowRun, SeedEpochs, mlflow_run, sync_runs

EPOCHS = 3


@pytest.fixture(autouse=True)
def _own_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def folder(tmp_path, empty_store):
    def make(name):
        (tmp_path / name).mkdir()
        shutil.copy(empty_store, tmp_path / name / "mlruns.db")
        return tmp_path / name

    return make


@pytest.fixture
def train(training, caplog, monkeypatch):
    """Train in a folder; gives the seconds that took, and the number of warnings. Failures may take ``patience`` s."""

    calls = mlflow_run.TrackerCalls

    def run(out, trouble=None, patience=1.0, **options):
        monkeypatch.setattr(mlflow_run, "TrackerCalls", lambda: calls(patience))
        made = training(EPOCHS, [SeedEpochs(3)])
        CheckpointWriter(out, made.save).attach(made.trainer)
        if trouble:
            made.trainer.add_event_handler("ITERATION_COMPLETED", lambda: trouble(made.trainer.state.iteration))
        MLflowRun(out, config={"epochs": EPOCHS}, **options).attach(made.trainer)
        begun = time.monotonic()
        caplog.clear()
        with caplog.at_level(logging.WARNING, "monai_cortex"):
            made.trainer.run()
        told = [record for record in caplog.records if "tracking has failed" in record.getMessage()]
        return time.monotonic() - begun, len(told)

    return run


def history(database):
    """Everything that the only run has: status, parameters, metrics with their steps, artifacts; but for its cost."""
    client = MlflowClient(f"sqlite:///{database}")
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    metrics = {
        name: [(entry.step, entry.value) for entry in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if not name.startswith("run/")
    }
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    return run.info.status, run.data.params, metrics, files


@pytest.fixture
def undisturbed(train, folder):
    out = folder("undisturbed")
    assert train(out, patience=60.0)[1] == 0
    assert not (out / "tracking_journal").exists()
    return (out / "model.pt").read_bytes(), history(out / "mlruns.db")


def check(out, undisturbed):
    """Equal bits; and after two deliveries all is there once."""
    weights, told = undisturbed
    assert (out / "model.pt").read_bytes() == weights
    assert (out / "tracking_journal").is_dir()
    sync_runs(out, f"sqlite:///{out}/mlruns.db")
    sync_runs(out, f"sqlite:///{out}/mlruns.db")
    assert history(out / "mlruns.db") == told
    assert not (out / "tracking_journal").exists()


def test_server_down_at_start(train, folder, undisturbed):
    out = folder("out")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seconds, warnings = train(out, tracking_uri=f"http://127.0.0.1:{port}")
    assert seconds < 10
    assert warnings == 1
    journal = next((out / "tracking_journal").iterdir())
    journal.write_text(journal.read_text().replace(f"http://127.0.0.1:{port}", f"sqlite:///{out}/mlruns.db"))
    check(out, undisturbed)


def test_lost_midway_and_back_later(train, folder, undisturbed):
    """The database is locked from the second epoch to the last iteration."""
    out = folder("out")
    with closing(sqlite3.connect(out / "mlruns.db", check_same_thread=False)) as lock:

        def trouble(iteration):
            if iteration == 4:
                lock.execute("begin exclusive")
            if iteration == 9:
                lock.rollback()

        seconds, warnings = train(out, trouble)
    assert seconds < 10
    assert warnings == 1
    check(out, undisturbed)


def test_locked_from_the_start(train, folder, undisturbed):
    out = folder("out")
    with closing(sqlite3.connect(out / "mlruns.db")) as lock:
        lock.execute("begin exclusive")
        seconds, warnings = train(out)
    assert seconds < 10
    assert warnings == 1
    check(out, undisturbed)


def test_read_only_database(train, folder, undisturbed):
    out = folder("out")
    seconds, warnings = train(out, tracking_uri=f"sqlite:///file:{out}/mlruns.db?mode=ro&uri=true")
    assert seconds < 10
    assert warnings == 1
    check(out, undisturbed)
