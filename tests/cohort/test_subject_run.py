import json

import pytest

from monai_cortex.cohort.subject_run import SubjectRun
from monai_cortex.cohort.worker_process import Failure
from monai_cortex.errors import GeometryError

FACTS = {"seconds": 1.0, "peak_memory_mb": 5.0, "warnings": ["see /home/doe/x"]}


class Answering:
    """A worker whose answers are known; the real one has its own tests."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def start(self):
        return None

    def send(self, request):
        self.asked.append(request)

    def ask(self, request):
        self.asked.append(request)
        return self.answer("")


@pytest.fixture
def subject_run(folder, request_for, settings):
    def make(answer, **config):
        worker = Answering(answer)
        chosen = settings._replace(config=config)
        return SubjectRun(folder, request_for(), chosen, folder.work, worker), worker

    return make


def test_success_is_published_and_recorded(folder, subject_run, item, results):
    def answer(_):
        results()
        return dict(FACTS)

    run, worker = subject_run(answer)
    record = run(item)
    assert worker.asked == [{"subject": "sub-1"}]
    assert record["status"] == "done"
    assert record["times"] == {"network_s": 1.5}
    assert record["warnings"] == ["see \u2026/x"]
    assert set(record["done"]["inputs"]) == {"sub-1/fixed.nii.gz", "sub-1/moving.nii.gz"}
    assert (folder.results("sub-1") / "done.json").is_file()
    assert not (folder.work / "run").exists()
    lines = [json.loads(line) for line in folder.journal.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["subject", "done"]


def test_failure_is_recorded_and_publishes_nothing(folder, subject_run, item, results):
    def answer(_):
        results()
        error = GeometryError("bad", file=item["fixed"], subject="sub-1")
        raise Failure(error, "GeometryError", ["monai_cortex/a.py:1"])

    record = subject_run(answer)[0](item)
    assert record["status"] == "failed"
    assert record["error"] == "GeometryError: bad\n  in: <dataset>/sub-1/fixed.nii.gz (subject sub-1)"
    assert set(record["inputs"]) == {"sub-1/fixed.nii.gz", "sub-1/moving.nii.gz"}
    assert "monai_cortex/a.py:1" in folder.crash("sub-1").read_text()
    assert not folder.results("sub-1").exists()
    assert not (folder.work / "run").exists()


def test_adopted_subject_keeps_what_was_known(folder, subject_run, item, results):
    def answer(_):
        results()
        return dict(FACTS)

    run, _ = subject_run(answer)
    before = run(item)
    (folder.results("sub-1") / "metrics.json").touch()
    run.adopt(item)
    after = json.loads(folder.record("sub-1").read_text())
    assert after["seconds"] == before["seconds"]
    assert after["output_stamps"] != before["output_stamps"]
    folder.record("sub-1").unlink()
    run.adopt(item)
    assert json.loads(folder.record("sub-1").read_text())["done"] == before["done"]


@pytest.mark.parametrize(("track", "asked"), [(True, 1), (False, 0), ("false", 0)])
def test_tracker_is_asked_once_or_not_at_all(subject_run, track, asked):
    run, worker = subject_run(lambda _: {"run": "x"}, track=track)
    run.track({"done": 3})
    assert len(worker.asked) == asked
    assert all(request["track"]["metrics"] == {"done": 3} for request in worker.asked)


def test_tracker_that_fails_costs_nothing(folder, subject_run):
    def answer(_):
        raise Failure(GeometryError("no"), "GeometryError", [])

    subject_run(answer, track=True)[0].track({"done": 3})
    assert "untracked" in folder.journal.read_text()
