import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main


@pytest.fixture
def told(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    from monai_cortex.handlers.tracking_entries import status_entry
    from monai_cortex.handlers.tracking_journal import TrackingJournal

    def write(folder, store):
        run = {"name": "train-1", "experiment": "e", "tags": {}, "started": 1000, "store": store}
        TrackingJournal(folder, run).append(status_entry("FINISHED"), None)

    return write


def test_nothing_to_deliver(tmp_path):
    result = CliRunner().invoke(main, ["sync", str(tmp_path)])
    assert (result.exit_code, result.output) == (0, "0 entries of 0 runs delivered\n")


def test_journal_is_delivered_to_the_store_that_is_named(told, tmp_path):
    told(tmp_path, "")
    refused = CliRunner().invoke(main, ["sync", str(tmp_path)])
    assert refused.exit_code == 2
    assert "--tracking-uri" in refused.output
    result = CliRunner().invoke(main, ["sync", str(tmp_path), "--tracking-uri", f"sqlite:///{tmp_path}/a.db"])
    assert result.exit_code == 0
    assert result.output.endswith("1 entries of 1 runs delivered\n")
    assert (tmp_path / "a.db").is_file()
    assert not (tmp_path / "tracking_journal").exists()
