import time
from pathlib import Path

import pytest

from monai_cortex.data import bundle_folder
from monai_cortex.handlers import track_cohort

NUMBERS = {"subjects": 3, "done": 2, "failed": 1, "seconds_median": 1.5}
CONFIG = {"seed": 3, "refine": False}


@pytest.fixture
def arguments(tmp_path):
    for kind in ("html", "json", "csv"):
        (tmp_path / f"report.{kind}").write_text(kind)
    (tmp_path / "sub-1").mkdir()
    (tmp_path / "sub-1" / "qc.png").write_bytes(b"picture")
    return {
        "output_dir": str(tmp_path),
        "bundle_root": bundle_folder("fsdiffreg_cardiac"),
        "metrics": NUMBERS,
        "config": CONFIG,
    }


def test_one_run_with_numbers_and_reports(store, tmp_path, arguments):
    client, _ = store
    identifier = track_cohort(**arguments)
    found = [run for e in client.search_experiments() for run in client.search_runs([e.experiment_id])]
    (run,) = found
    assert run.info.run_id == identifier
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("fsdiffreg_cardiac-cohort-")
    shared = {"run/subjects": 2, "run/subjects_failed": 1, "run/seconds_per_subject": 1.5}
    assert run.data.metrics == {f"cohort/{name}": value for name, value in NUMBERS.items()} | shared
    assert run.data.params["seed"] == "3"
    files = {path.name for path in Path(run.info.artifact_uri.removeprefix("file://")).rglob("*") if path.is_file()}
    assert files == {"report.html", "report.json", "report.csv", "config.json"}


def test_outage_costs_seconds_and_nothing_else(arguments):
    start = time.monotonic()
    assert track_cohort(**arguments, tracking_uri="http://127.0.0.1:9") is None
    assert time.monotonic() - start < 20
