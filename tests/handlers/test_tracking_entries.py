import math

import pytest

from monai_cortex.handlers import tracking_entries as entries


@pytest.fixture
def run(store):
    client, experiment = store
    return client, client.create_run(experiment).info.run_id


def test_entries_may_be_delivered_twice(run, tmp_path):
    client, run_id = run
    (tmp_path / "a.txt").write_text("text")
    told = [
        *entries.parameter_entries({f"p{number}": str(number) for number in range(150)}),
        entries.metric_entry({"loss": 0.5, "odd": math.nan}, 3),
        entries.tag_entry("key", "value"),
        entries.data_entry("digits samples", "0123abc", "samples", "inference"),
        entries.text_entry("config.json", "{}"),
        entries.artifact_entry(tmp_path / "a.txt", tmp_path, "files"),
        entries.status_entry("FINISHED"),
    ]
    assert len(told) == 8
    for entry in told * 2:
        entries.deliver(client, run_id, entry, tmp_path)
    found = client.get_run(run_id)
    assert len(found.data.params) == 150
    assert [(entry.step, entry.value) for entry in client.get_metric_history(run_id, "loss")] == [(3, 0.5)]
    assert len(client.get_metric_history(run_id, "odd")) == 1
    assert found.data.tags["key"] == "value"
    assert {file.path for file in client.list_artifacts(run_id)} == {"config.json", "files"}
    (data,) = found.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits samples", "0123abc")
    assert (data.dataset.source, data.tags[0].value) == ('{"uri": "samples"}', "inference")
    assert found.info.status == "FINISHED"
    assert abs(found.info.end_time - entries.now()) < 60_000


def test_an_artifact_that_is_gone_is_told(run, tmp_path):
    entry = entries.artifact_entry(tmp_path / "b" / "a.txt", tmp_path, None)
    assert entry["path"] == "b/a.txt"
    with pytest.raises(FileNotFoundError, match=r"a\.txt"):
        entries.deliver(*run, entry, tmp_path)
