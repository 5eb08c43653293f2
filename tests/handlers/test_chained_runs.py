"""A parent and its children in the tracker."""

import json
from pathlib import Path

import pytest

from monai_cortex.handlers.chained_runs import PARENT_TAG, track_work


def runs(client):
    found = [run for e in client.search_experiments() for run in client.search_runs([e.experiment_id])]
    return {run.data.tags["bundle"]: run for run in found}


def chain(tmp_path, uri, last=lambda: None):
    def inner(item, _):
        return {"thickness_mm": 2.0 + item}

    def outer(_, identifier):
        options = {"name": "measurement", "config": {"start_mm": 2.5}, "tracking_uri": uri}
        track_work(inner, [0, 1, 2], tmp_path / "inner", tags={PARENT_TAG: identifier}, **options)
        (tmp_path / "figures").mkdir()
        (tmp_path / "figures" / "a.png").write_bytes(b"picture")
        (tmp_path / "trajectory.json").write_text("{}")
        last()
        return {"error_mm": 0.25}

    return track_work(outer, ["all"], tmp_path, name="trajectory", config={"steps": 3}, tracking_uri=uri)


def test_a_child_names_its_parent_and_tells_its_items(store, tmp_path):
    client, _ = store
    assert chain(tmp_path, f"sqlite:///{tmp_path / 'mlruns.db'}") == [{"error_mm": 0.25}]
    found = runs(client)
    parent, child = found["trajectory"], found["measurement"]
    assert child.data.tags[PARENT_TAG] == parent.info.run_id
    assert PARENT_TAG not in parent.data.tags
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    history = client.get_metric_history(child.info.run_id, "thickness_mm")
    assert [(entry.step, entry.value) for entry in history] == [(0, 2.0), (1, 3.0), (2, 4.0)]
    assert parent.data.metrics["error_mm"] == 0.25
    assert (parent.data.params["steps"], child.data.params["start_mm"]) == ("3", "2.5")
    files = {path.name for path in Path(parent.info.artifact_uri.removeprefix("file://")).rglob("*.*")}
    assert files == {"a.png", "trajectory.json", "config.json"}


def test_work_that_fails_leaves_a_failed_parent_and_finished_children(store, tmp_path):
    client, _ = store

    def fail():
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        chain(tmp_path, f"sqlite:///{tmp_path / 'mlruns.db'}", fail)
    assert {name: run.info.status for name, run in runs(client).items()} == {
        "trajectory": "FAILED",
        "measurement": "FINISHED",
    }


def test_an_empty_address_tracks_nothing(tmp_path):
    assert chain(tmp_path, "") == [{"error_mm": 0.25}]
    assert not (tmp_path / "mlruns.db").exists()
    assert not json.loads((tmp_path / "trajectory.json").read_text())
