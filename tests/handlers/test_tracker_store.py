from pathlib import Path

import pytest

from monai_cortex.errors import ConfigError
from monai_cortex.handlers.tracker_store import artifact_place, database_file, database_uri, find_experiment, store_uri


def test_database_of_a_folder_with_an_odd_name(tmp_path):
    folder = tmp_path / "a b#c%20d?"
    assert database_file(database_uri(folder)) == folder / "mlruns.db"
    assert database_file("http://127.0.0.1:5000") is None
    assert artifact_place("http://127.0.0.1:5000") is None
    assert artifact_place("sqlite:////x/a.db") == Path("/x/mlruns").as_uri()


def test_environment_goes_first(monkeypatch):
    assert store_uri(None) is None
    assert store_uri("sqlite:///a.db") == "sqlite:///a.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///b.db")
    assert store_uri("sqlite:///a.db") == "sqlite:///b.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with pytest.raises(ConfigError, match="plain folders"):
        store_uri(None)


def test_an_experiment_is_made_once(store):
    client, known = store
    assert find_experiment(client, "test") == known
    made = find_experiment(client, "new", "file:///nowhere")
    assert find_experiment(client, "new") == made
    assert client.get_experiment(made).artifact_location == "file:///nowhere"
    assert client.get_experiment(made).tags["mlflow.experimentKind"]
