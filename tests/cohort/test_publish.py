import json

from monai_cortex.cohort.publish import note_done, note_failed, publish_results
from monai_cortex.data import sha256


def test_results_are_published_whole_and_without_times(folder, settings, results):
    times = publish_results(folder, "sub-1", results(), settings, {"sub-1/a": {"bytes": 1, "sha256": "x"}})
    place = folder.results("sub-1")
    assert times == {"network_s": 1.5}
    assert json.loads((place / "metrics.json").read_text()) == {"dice": 0.5, "subject": "sub-1"}
    assert (place / "surf" / "lh.sphere").read_bytes() == b"sphere"
    assert folder.report("sub-1").read_text() == "<p>page</p>"
    done = json.loads((place / "done.json").read_text())
    assert done["inputs"] == {"sub-1/a": {"bytes": 1, "sha256": "x"}}
    assert done["settings"] == "digest"
    assert set(done["outputs"]) == {"metrics.json", "surf/lh.sphere"}
    assert done["outputs"]["surf/lh.sphere"] == {"bytes": 6, "sha256": sha256(place / "surf" / "lh.sphere")}


def test_older_results_are_replaced_and_nothing_else_stays(folder, settings, results):
    publish_results(folder, "sub-1", results(), settings, {})
    (folder.results("sub-1") / "old.txt").write_text("")
    for path in (folder.work / "run").rglob("*"):
        path.unlink() if path.is_file() else None
    import shutil

    shutil.rmtree(folder.work / "run")
    publish_results(folder, "sub-1", results(metrics='{"dice": 0.75}'), settings, {})
    assert not (folder.results("sub-1") / "old.txt").exists()
    assert "0.75" in (folder.results("sub-1") / "metrics.json").read_text()
    assert not [path for path in folder.path.rglob("*") if ".partial" in path.name]


def test_equal_results_are_published_as_equal_bytes(folder, settings, results):
    import shutil

    found = []
    for seconds in (1.5, 2.5):
        work = results(metrics=json.dumps({"subject": "sub-1", "network_s": seconds, "dice": 0.5}))
        publish_results(folder, "sub-1", work, settings, {})
        shutil.rmtree(work)
        place = folder.results("sub-1")
        found.append({path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()})
    assert found[0] == found[1]


def test_record_of_success_ends_that_of_failure(folder, settings, results):
    note_failed(folder, "sub-1", "why", {"error": "bad", "seconds": 1.0})
    assert folder.crash("sub-1").read_text() == "why"
    assert json.loads(folder.record("sub-1").read_text())["status"] == "failed"
    publish_results(folder, "sub-1", results(), settings, {})
    record = note_done(folder, "sub-1", {"a": [1, 2, 3]}, {"seconds": 2.0})
    assert not folder.crash("sub-1").exists()
    assert record["metrics"] == {"dice": 0.5}
    assert record["input_stamps"] == {"a": [1, 2, 3]}
    assert set(record["output_stamps"]) == {"metrics.json", "surf/lh.sphere"}
    assert json.loads(folder.record("sub-1").read_text()) == record
