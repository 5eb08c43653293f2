"""MLflow's own pages in a real browser show what a training has tracked."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from mlflow.tracking import MlflowClient

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def address(trained):
    """A server of the training's store on a free port, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{trained}/mlruns.db"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=trained, start_new_session=True, **quiet)
    place, end = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while not answers(place):
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.5)
        yield place
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(place):
    try:
        urllib.request.urlopen(place, timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def page(address, tmp_path):
    """Text of a page after its scripts have run."""

    def load(place):
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/browser"]
        command += ["--virtual-time-budget=30000", "--dump-dom", f"{address}/#/{place}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout

    return load


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
def test_metrics_and_figures_are_shown(request, trained):
    if not request.config.getoption("whole"):
        pytest.skip("a server and a browser, with --whole")
    load = request.getfixturevalue("page")
    client = MlflowClient(f"sqlite:///{trained}/mlruns.db")
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    place = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    overview, files = load(place), load(f"{place}/artifacts")
    assert [name for name in ("train/loss", "val/residual_percent", "learning_rate") if name not in overview] == []
    figures = [file.path for file in client.list_artifacts(run.info.run_id)]
    assert any(name.startswith("figures") for name in figures)
    assert [name for name in figures if name not in files] == []
