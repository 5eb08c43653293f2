"""The whole chain, through the stock client."""

import json

import pytest

from monai_cortex.handlers.chained_runs import PARENT_TAG
from monai_cortex.trajectory import TrajectoryRequest, run_trajectory
from monai_cortex.trajectory.chain import _tracking


def test_words_that_make_a_bundles_run_a_child(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = TrajectoryRequest(tmp_path)
    assert _tracking(request, "abc") == [
        *("--tracking_uri", f"sqlite:///{tmp_path}/mlruns.db"),
        *("--tracker#tags", f"{{'{PARENT_TAG}': 'abc'}}"),
    ]
    assert _tracking(request, None) == ["--tracking_uri", f"sqlite:///{tmp_path}/mlruns.db"]
    assert _tracking(TrajectoryRequest(tmp_path, tracking_uri=""), None) == ["--track", "False"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert _tracking(request, "abc")[0] == "--tracker#tags"


def test_chain_on_the_sample_with_its_runs(tmp_path, monkeypatch, pytestconfig):
    if not pytestconfig.getoption("--whole"):
        pytest.skip("two bundles through the client take minutes: run with --whole")
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = TrajectoryRequest(tmp_path, steps=3, spacing=3.0, sampling_steps=2)
    record = run_trajectory(request)
    assert record["run_now"] == ["registration", "synthesis"]
    assert record["equal_grid"]
    true, found = ([step[key] for step in record["steps"]] for key in ("thickness_mm", "found_thickness_mm"))
    assert true[-1] - true[0] == pytest.approx(-0.55, abs=0.15)
    assert found[-1] < found[0]
    assert json.loads((tmp_path / "trajectory.json").read_text())["stations"] == ["fsaverage5", "synthetic_thin"]
    again = run_trajectory(request)
    assert again["run_now"] == []
    assert again["steps"] == record["steps"]

    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "monai_cortex")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if PARENT_TAG not in run.data.tags]
    first = min(parents, key=lambda run: run.info.start_time)
    children = [run.data.tags["bundle"] for run in runs if run.data.tags.get(PARENT_TAG) == first.info.run_id]
    assert sorted(children) == ["cor2vox_synthesis", "measurement", "spherical_diffusion_registration"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(parents) == 2
