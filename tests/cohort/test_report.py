import csv
import json

import pytest

from monai_cortex.cohort.publish import note_failed
from monai_cortex.cohort.report import write_reports
from monai_cortex.data import write_json


@pytest.fixture
def reported(folder, request_for):
    """Three subjects: one done with a warning, one failed, one not tried; gives the numbers."""
    folder.report("a <b>").parent.mkdir(exist_ok=True)
    folder.report("a <b>").write_text("page")
    facts = {"seconds": 2.5, "peak_memory_mb": 300.5, "peak_gpu_mb": 0.0, "device": "cpu", "shard": "1/2"}
    done = {"inputs": {"x": {"bytes": 1, "sha256": "0" * 64}}, "settings": "s"}
    known = {"status": "done", "done": done, "metrics": {"dice": 0.5}, "times": {"network_s": 1.0}}
    write_json(folder.record("a <b>"), {**facts, **known, "warnings": ["3 open edges"], "finished": 5.0})
    note_failed(folder, "b", "why", {"error": "InputFileError: bad\n  in: b", "seconds": 1.0, "finished": 6.0})
    return lambda: write_reports(folder, dict.fromkeys(["a <b>", "b", "c"]), request_for())


def test_counts_add_up(folder, reported):
    numbers = reported()
    assert numbers == {
        "subjects": 3,
        "done": 1,
        "failed": 1,
        "pending": 1,
        "seconds_median": 2.5,
        "peak_memory_mb_max": 300.5,
    }
    record = json.loads((folder.path / "report.json").read_text())
    assert record["counts"] == numbers
    assert [row["status"] for row in record["subjects"]] == ["done", "failed", "pending"]
    assert record["subjects"][0]["inputs"] == {"x": "0" * 64}
    assert record["subjects"][0]["warnings"] == ["3 open edges"]


def test_table(folder, reported):
    reported()
    with (folder.path / "report.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["subject"], row["status"]) for row in rows] == [("a <b>", "done"), ("b", "failed"), ("c", "pending")]
    assert (rows[0]["dice"], rows[0]["network_s"], rows[0]["warnings"]) == ("0.5", "1.0", "1")
    assert len(rows[0]["inputs_sha256"]) == 64
    assert rows[1]["error"] == "InputFileError: bad"


def test_page(folder, reported):
    reported()
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert '<a href="./reports/a%20%3Cb%3E.html">a &lt;b&gt;</a>' in page
    assert '<a href="./crash-b.txt">b</a>' in page
    assert "a &lt;b&gt;: 3 open edges" in page
    assert "1 of 3 not tried" in page
    assert "1 error" in page
    assert "<script" not in page


def test_nothing_new_writes_nothing(folder, reported):
    reported()
    names = [folder.path / f"report.{kind}" for kind in ("html", "csv", "json")]
    before = [name.stat().st_ino for name in names]
    reported()
    assert [name.stat().st_ino for name in names] == before
    names[0].unlink()
    reported()
    assert names[0].is_file()
    note_failed(folder, "c", "why", {"error": "bad", "seconds": 1.0, "finished": 7.0})
    assert reported()["pending"] == 0
    assert json.loads(names[2].read_text())["counts"]["failed"] == 2
