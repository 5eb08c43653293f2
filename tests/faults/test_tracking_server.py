"""A real server with PostgreSQL below it: what a group uses instead of a database in every output folder."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from sqlalchemy import create_engine, text

from monai_cortex.__main__ import main
from monai_cortex.handlers import CheckpointWriter, MLflowRun

# Of MLflow's own use of other packages, while it saves and lists models.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SLUG = "shd_deconvolution"


def _program(name):
    """Of PostgreSQL: on the path, or where Debian keeps each version."""
    found = shutil.which(name)
    return found or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[::-1]), None)


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def postgres(request):
    """Address of an empty database; PostgreSQL does not run as root, so root lends it to nobody."""
    if not request.config.getoption("--whole"):
        pytest.skip("a server takes a minute to start: --whole, as in make test-faults")
    if not (_program("initdb") and _program("pg_ctl")):
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    # Folders of pytest are closed to other users.
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), _free_port()
    user, identity = getpass.getuser(), {}
    if os.geteuid() == 0:
        user, identity = "nobody", {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        shutil.chown(folder, user)

    def run(program, *words):
        command = [_program(program), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **identity)

    run("initdb", "-A", "trust", "--no-sync", "-U", user)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -F"
    run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg2://{user}@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(postgres, wait, tmp_path_factory):
    """Address of an MLflow server on the database, and the folder of its artifacts."""
    artifacts, port = tmp_path_factory.mktemp("artifacts"), _free_port()
    places = ["--backend-store-uri", postgres, "--serve-artifacts", "--artifacts-destination", str(artifacts)]
    command = [sys.executable, "-m", "mlflow", "server", *places, "--port", str(port), "--workers", "1"]
    # Its runner of jobs, which nothing here needs, is many more processes.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    words = (artifacts.parent / "server.txt").open("w+")
    process = subprocess.Popen(
        command, env=environment, cwd=artifacts, start_new_session=True, stdout=words, stderr=subprocess.STDOUT
    )
    address = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, Path(words.name).read_text()
        with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=1) as answer:
            return answer.status == 200
        return False

    try:
        wait(answers, seconds=300)
        yield address, artifacts
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        words.close()


@pytest.fixture
def ours(monkeypatch):
    """A process that no other server is named for, and that waits for a busy machine."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")


@pytest.mark.usefixtures("ours")
def test_a_run_is_in_postgresql_and_its_files_on_the_server(server, postgres, training, tmp_path):
    address, artifacts = server
    out, data = tmp_path / "out", tmp_path / "data"
    (data / "sub-1").mkdir(parents=True)
    run, config = training(), {"epochs": 2, "dataset_dir": str(data), "_meta_": {"name": "A method"}}
    tracker = MLflowRun(out, config=config, tracking_uri=address)
    run.validate(tracker)
    tracker.attach(run.trainer)
    CheckpointWriter(out, run.save).attach(run.trainer)
    run.trainer.run()
    assert not (out / "tracking_journal").exists(), "something was not delivered"
    assert not (out / "mlruns.db").exists()
    with create_engine(postgres).connect() as database:
        assert database.execute(text("select status from runs")).scalars().all() == ["FINISHED"]
    client = MlflowClient(address)
    (found,) = client.search_runs([client.get_experiment_by_name("monai_cortex").experiment_id])
    assert found.data.tags["bundle"] == "A method"
    assert found.data.params["epochs"] == "2"
    assert {"train/loss", "val/runs_count", "run/seconds", "run/peak_memory_mb"} <= set(found.data.metrics)
    assert [entry.step for entry in client.get_metric_history(found.info.run_id, "train/loss")] == [1, 2]
    assert found.inputs.dataset_inputs[0].dataset.name == "A method data"
    assert {file.path for file in client.list_artifacts(found.info.run_id)} >= {"config.json", "model.pt"}
    assert next(artifacts.rglob("model.pt")).read_bytes() == (out / "model.pt").read_bytes()


@pytest.mark.usefixtures("ours")
def test_a_registered_bundle_comes_back_from_the_server_and_runs(server, scans, tmp_path, monkeypatch):
    address, artifacts = server
    answer = CliRunner().invoke(main, ["register-model", SLUG, "--tracking-uri", address])
    assert answer.exit_code == 0, answer.output
    assert list(artifacts.rglob("MLmodel"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    model = mlflow.pyfunc.load_model(f"models:/{SLUG}/1")
    found = model.predict(pd.DataFrame({"dataset_dir": [str(scans)], "output_dir": [str(tmp_path / "out")]}))
    assert list(found.status) == ["done"], list(found.message)
    assert (tmp_path / "out" / "small_64D" / "wmfod.nii.gz").is_file()
