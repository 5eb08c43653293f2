import json
import logging
import math
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average
from mlflow import MlflowClient
from monai.handlers import MLFlowHandler, StatsHandler

from monai_cortex.errors import ConfigError
from monai_cortex.handlers import CheckpointWriter, MLflowRun, ResumeTraining, mlflow_run, ui_line

CANARY = "Doe-Jane-19700101"
CONFIG = {
    "_meta_": {"name": "A method", "version": "0.3.0"},
    "seed": 7,
    "epochs": 2,
    "learning_rate": 0.01,
    "dataset_dir": f"/data/{CANARY}",
    "output_dir": "out",
    "loader": "$open('/data/" + CANARY + "/x')",
    "target_dir": f"../{CANARY}",
    "network_def": {"_target_": "a.b.Net", "channels": [4, 8], "_desc_": "words"},
}


@pytest.fixture
def out(empty_store, tmp_path):
    """An output folder with a store, not opened yet: a forked process must not share its connections."""
    shutil.copy(empty_store, tmp_path / "mlruns.db")
    return str(tmp_path)


@pytest.fixture
def runs(out):
    """All runs of the store, the oldest first."""

    def get():
        client = MlflowClient(f"sqlite:///{out}/mlruns.db")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return sorted(client.search_runs(experiments), key=lambda run: run.info.start_time)

    return get


@pytest.fixture
def history(out):
    """Steps and values of a metric."""

    def get(run, name):
        client = MlflowClient(f"sqlite:///{out}/mlruns.db")
        return [(entry.step, entry.value) for entry in client.get_metric_history(run.info.run_id, name)]

    return get


def artifacts(out, run):
    """Files of a run by their place among its artifacts."""
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert folder.parent.parent == Path(out, "mlruns")
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def write(out, *names):
    for name in names:
        Path(out, name).parent.mkdir(exist_ok=True)
        Path(out, name).write_text(name)


def test_a_run_holds_everything(training, out, runs, history):
    """Tags, parameters, means per epoch, the validator's metrics at the trainer's epochs, files; and no more."""
    run = training()
    tracker = MLflowRun(out, config=CONFIG, tags={"study": "a"}, run_prefix="train")
    validator = run.validate(tracker)
    tracker.attach(run.trainer)
    CheckpointWriter(out, run.save).attach(run.trainer)
    Average(lambda output: 2.0).attach(run.trainer, "constant")
    run.trainer.add_event_handler(Events.COMPLETED, lambda: write(out, "report.html", "figures/a.png", "metrics.json"))
    run.trainer.run()
    assert isinstance(tracker, MLFlowHandler)
    assert validator.state.metrics["runs_count"] == 2
    (record,) = runs()
    assert record.info.status == "FINISHED"
    assert record.info.run_name.startswith("A method-train-2")
    tags = {name: value for name, value in record.data.tags.items() if not name.startswith("mlflow.")}
    assert {name for name in record.data.tags} - set(tags) == {"mlflow.runName"}
    assert tags.pop("git_revision")
    assert tags.pop("data").startswith("sha256:")
    assert len(tags.pop("host")) == 12
    expected = {"bundle": "A method", "bundle_version": "0.3.0", "device": "cpu", "seed": "7", "study": "a"}
    assert tags == {**expected, "pid": str(os.getpid())}
    assert record.data.params == {
        "max_epochs": "2",
        "epoch_length": "3",
        "seed": "7",
        "epochs": "2",
        "learning_rate": "0.01",
        "network_def._target_": "a.b.Net",
        "network_def.channels": "[4, 8]",
    }
    cost = {"run/seconds", "run/peak_memory_mb"}
    assert set(record.data.metrics) == {"train/loss", "train/learning_rate", "train/constant", "val/runs_count"} | cost
    (data,) = record.inputs.dataset_inputs
    assert (data.dataset.name, data.tags[0].value) == ("A method data", "training")
    assert data.dataset.digest == record.data.tags["data"].removeprefix("sha256:")
    means = [sum(run.losses[:3]) / 3, sum(run.losses[3:]) / 3]
    assert history(record, "train/loss") == [(1, pytest.approx(means[0])), (2, pytest.approx(means[1]))]
    assert history(record, "train/learning_rate") == [(1, pytest.approx(0.01)), (2, pytest.approx(0.01))]
    assert history(record, "val/runs_count") == [(1, 1), (2, 2)]
    assert set(artifacts(out, record)) == {
        "config.json",
        "figures/a.png",
        "report.html",
        "metrics.json",
        "model.pt",
        "model.pt.json",
    }
    stored = json.loads(artifacts(out, record)["config.json"].read_text())
    assert stored["epochs"] == 2
    assert stored["network_def"]["_desc_"] == "words"


def test_no_private_path_anywhere(training, out, runs, tmp_path_factory):
    data = tmp_path_factory.mktemp(CANARY)
    config = {**CONFIG, "dataset_dir": str(data), "datalist": [{"image": str(data / "a.nii.gz")}], "who": str(data)}
    run = training()
    tracker = MLflowRun(out, config=config, tags={"source": data, "data": str(data)})
    run.validate(tracker)
    tracker.attach(run.trainer)
    run.network.hook = lambda: (_ for _ in ()).throw(OSError(f"{data}/a.nii.gz")) if len(run.losses) == 4 else None
    with pytest.raises(OSError, match=CANARY):
        run.trainer.run()
    assert runs()[0].info.status == "FAILED"
    # A host called "vm" would be found by chance in the bytes of any database.
    private = [CANARY, *(name for name in [socket.gethostname()] if len(name) > 5)]
    files = [path for path in Path(out).rglob("*") if path.is_file()]
    assert {"mlruns.db", "config.json"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not any(name.encode() in content for name in private)


def test_trainer_and_validator_may_have_one_tracker_each(training, out, runs, history):
    run = training()
    run.validate(MLflowRun(out))
    MLflowRun(out).attach(run.trainer)
    run.trainer.run()
    (record,) = runs()
    assert history(record, "val/runs_count") == [(1, 1), (2, 2)]
    assert record.info.status == "FINISHED"


def test_second_tracker_on_an_engine_does_nothing(training, out, runs, history):
    run = training()
    for folder in (out, out, f"{out}/second"):
        MLflowRun(folder).attach(run.trainer)
    Average(lambda output: 2.0).attach(run.trainer, "constant")
    run.trainer.run()
    (record,) = runs()
    assert len(history(record, "train/constant")) == 2
    assert not Path(out, "second").exists()


def test_evaluator_alone_has_a_run(training, out, runs, history):
    evaluator = training().evaluator([MLflowRun(out, config={"a": 1})])
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(error_mm=0.5, name="x"))
    evaluator.run()
    (record,) = runs()
    assert history(record, "val/error_mm") == [(1, 0.5)]
    assert (record.info.status, record.data.params["a"]) == ("FINISHED", "1")


def test_runs_never_merge(training, out, runs, history):
    """Not with a finished one, not with a failed one, not under the same seed."""
    for fails in (False, True, False):
        torch.manual_seed(0)
        run = training()
        run.network.hook = lambda run=run, fails=fails: 1 / 0 if fails and len(run.losses) == 4 else None
        MLflowRun(out).attach(run.trainer)
        try:
            run.trainer.run()
        except ZeroDivisionError:
            assert fails
    records = runs()
    assert [record.info.status for record in records] == ["FINISHED", "FAILED", "FINISHED"]
    assert len({record.info.run_name for record in records}) == 3
    assert [len(history(record, "train/loss")) for record in records] == [2, 1, 2]


def test_concurrent_runs_never_merge(training, out, runs, history, child):
    pids = []
    for epochs in (2, 3):
        run = training(epochs)
        MLflowRun(out, config={"epochs": epochs}).attach(run.trainer)
        pids.append(child(run.trainer.run))
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    for record in runs():
        assert len(history(record, "train/loss")) == int(record.data.params["epochs"])
    assert sorted(record.data.params["epochs"] for record in runs()) == ["2", "3"]
    assert {record.info.status for record in runs()} == {"FINISHED"}


def test_one_engine_may_run_twice(training, out, runs):
    run = training()
    tracker = MLflowRun(out)
    tracker.attach(run.trainer)
    run.trainer.run()
    run.trainer.run()
    assert [record.info.status for record in runs()] == ["FINISHED", "FINISHED"]


def test_failure_is_seen_although_another_handler_raises_first(training, out, runs):
    run = training(handlers=[StatsHandler(output_transform=lambda output: None), MLflowRun(out)])
    run.network.hook = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    assert runs()[0].info.status == "FAILED"


def test_swallowed_failure_is_a_failure(out, runs):
    engine = Engine(lambda *_: 1.0)
    MLflowRun(out).attach(engine)
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: 1 / 0)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: None)
    engine.run([1])
    assert runs()[0].info.status == "FAILED"


@pytest.fixture
def interruptible():
    """What Ctrl-C does at a terminal; processes in the background are started with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_is_a_kill(training, out, runs):
    run = training()
    MLflowRun(out).attach(run.trainer)
    run.network.hook = lambda: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.trainer.run()
    assert runs()[0].info.status == "KILLED"


def test_sigterm_is_a_kill_and_sigkill_is_found_by_the_next_run(training, out, runs, child, mark, wait):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        run = training(10**6)
        run.network.hook = lambda: time.sleep(0.005)
        MLflowRun(out, log_every=1).attach(run.trainer)
        ready = Path(out, f"ready{code}")
        mark(run.trainer, 2, ready)
        pid = child(run.trainer.run)
        wait(ready.exists)
        os.kill(pid, number)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert [record.info.status for record in runs()] == ["KILLED", "RUNNING"]
    run = training()
    MLflowRun(out).attach(run.trainer)
    run.trainer.run()
    assert [record.info.status for record in runs()] == ["KILLED", "KILLED", "FINISHED"]


def test_failed_run_keeps_only_what_it_has_made(training, out, runs):
    write(out, "model.pt", "report.html", "figures/old.png")
    run = training()
    MLflowRun(out, config=CONFIG).attach(run.trainer)
    run.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: write(out, "figures/new.png"))
    run.network.hook = lambda: 1 / 0 if len(run.losses) == 4 else None
    with pytest.raises(ZeroDivisionError):
        run.trainer.run()
    assert set(artifacts(out, runs()[0])) == {"config.json", "figures/new.png"}


def test_resumed_run_names_the_one_it_goes_on_from(training, out, runs):
    for resume in (False, True):
        run = training(3 if resume else 2)
        MLflowRun(out).attach(run.trainer)
        ResumeTraining(out, run.save, enabled=resume).attach(run.trainer)
        CheckpointWriter(out, run.save).attach(run.trainer)
        run.trainer.run()
    first, second = runs()
    assert "resumed_from" not in first.data.tags
    assert second.data.tags["resumed_from"] == first.info.run_id


def test_iterations_and_parts_of_the_loss(out, runs, history):
    engine = Engine(lambda engine, batch: {"loss": {"image": float(batch), "smoothness": 1.0}})
    MLflowRun(out, log_every=2).attach(engine)
    engine.run([1, 2, 3, 4], max_epochs=1)
    (record,) = runs()
    assert history(record, "train/loss/image") == [(1, 2.5)]
    assert history(record, "train/iteration_loss/image") == [(2, 2), (4, 4)]


def test_many_parameters_and_odd_values(out, runs, history):
    engine = Engine(lambda *_: math.nan)
    MLflowRun(out, config={f"a{index}": index for index in range(250)}).attach(engine)
    engine.run([1])
    (record,) = runs()
    assert len(record.data.params) == 252
    assert math.isnan(history(record, "train/loss")[0][1])


@pytest.mark.parametrize("enabled", [False, "false", "NO", "0", "None"])
def test_disabled_does_nothing(training, tmp_path, enabled):
    """Also by a word, as a command line passes it."""
    run = training()
    MLflowRun(tmp_path / "new", enabled=enabled).attach(run.trainer)
    run.trainer.run()
    assert not (tmp_path / "new").exists()


def test_environment_names_the_store(training, out, runs, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{out}/mlruns.db")
    run = training()
    MLflowRun(tmp_path / "new", tracking_uri="sqlite:////nowhere/a.db").attach(run.trainer)
    run.trainer.run()
    assert runs()[0].info.status == "FINISHED"
    assert not (tmp_path / "new").exists()


def test_store_of_a_folder_with_odd_names_is_beside_its_results(training, empty_store, tmp_path):
    folder = tmp_path / "a b#c%20d"
    folder.mkdir()
    (folder / "mlruns.db").write_bytes(empty_store.read_bytes())
    run = training()
    MLflowRun(folder, config=CONFIG).attach(run.trainer)
    run.trainer.run()
    with closing(sqlite3.connect(folder / "mlruns.db")) as database:
        assert database.execute("select status from runs").fetchall() == [("FINISHED",)]
    assert len(list(folder.glob("mlruns/*/artifacts/config.json"))) == 1
    assert shlex.split(ui_line(folder))[:3] == ["mlflow", "ui", "--backend-store-uri"]


def test_a_new_folder_gets_its_store(training, tmp_path):
    run = training()
    MLflowRun(tmp_path / "new").attach(run.trainer)
    run.trainer.run()
    uri = ui_line(tmp_path / "new").split()[-1]
    assert uri == f"sqlite:///{tmp_path}/new/mlruns.db"
    client = MlflowClient(uri)
    (experiment,) = [found for found in client.search_experiments() if found.name == "monai_cortex"]
    assert client.search_runs([experiment.experiment_id])[0].info.status == "FINISHED"


@pytest.mark.parametrize("uri", ["./mlruns", "/a/mlruns", "file:///a/mlruns"])
def test_plain_folders_are_refused_at_once(tmp_path, uri):
    with pytest.raises(ConfigError, match="sqlite:///"):
        MLflowRun(tmp_path, tracking_uri=uri)


def train_without_tracker(training, caplog, tracker):
    run = training()
    tracker.attach(run.trainer)
    start = time.monotonic()
    with caplog.at_level(logging.WARNING, "monai_cortex"):
        run.trainer.run()
    assert len(run.losses) == 6
    assert len([record for record in caplog.records if "tracking has failed" in record.getMessage()]) == 1
    return time.monotonic() - start


def test_a_server_that_is_down_costs_a_warning(training, tmp_path, caplog):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert train_without_tracker(training, caplog, MLflowRun(tmp_path, tracking_uri=f"http://127.0.0.1:{port}")) < 10


def test_a_server_that_never_answers_costs_its_patience(training, tmp_path, caplog, monkeypatch):
    calls = mlflow_run.TrackerCalls
    monkeypatch.setattr(mlflow_run, "TrackerCalls", lambda: calls(0.3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spent = train_without_tracker(training, caplog, MLflowRun(tmp_path, tracking_uri=f"http://127.0.0.1:{port}"))
    assert spent < 3


@pytest.mark.parametrize("trouble", [lambda: 1 / 0, lambda: time.sleep(1)], ids=["error", "silence"])
def test_a_tracker_lost_midway_costs_a_warning_and_the_run_is_closed(training, out, runs, caplog, monkeypatch, trouble):
    tracker, deliver = MLflowRun(out), mlflow_run.deliver

    def disturbed(client, run, entry, output_dir):
        if entry["kind"] == "metrics":
            trouble()
        else:
            tracker._calls.patience = 0.2
        deliver(client, run, entry, output_dir)

    monkeypatch.setattr(mlflow_run, "deliver", disturbed)
    train_without_tracker(training, caplog, tracker)
    assert runs()[0].info.status == "FINISHED"


def test_a_locked_store_costs_a_warning(training, out, caplog, monkeypatch):
    calls = mlflow_run.TrackerCalls
    monkeypatch.setattr(mlflow_run, "TrackerCalls", lambda: calls(0.5))
    with closing(sqlite3.connect(f"{out}/mlruns.db")) as lock:
        lock.execute("begin exclusive")
        assert train_without_tracker(training, caplog, MLflowRun(out)) < 4
