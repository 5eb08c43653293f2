import json
import time

import pytest
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from monai_cortex.handlers import SubjectWriter


class Texts(SubjectWriter):
    """Writes the text of each item; fails in the middle where the item says so."""

    columns = {"before": "initial_", "after": ""}

    def write(self, item, folder):
        (folder / "a.txt").write_text(item["text"])
        if item.get("broken"):
            raise OSError("no more ink")
        (folder / "b.txt").write_text(item["pred"])
        return {"length": len(item["text"])}


@pytest.fixture
def run(tmp_path):
    """Run an evaluator over batches of items; gives its state and the folder."""

    def start(*batches, forward=0.0):
        def step(engine, batch):
            engine.state.output = [{"pred": item["text"].upper()} for item in batch]
            time.sleep(forward)
            engine.fire_event(IterationEvents.FORWARD_COMPLETED)
            time.sleep(2 * forward)  # what comes after the network is not inference
            return engine.state.output

        engine = Engine(step)
        engine.register_events(*IterationEvents)
        Texts(str(tmp_path / "out")).attach(engine)
        return engine.run(batches), tmp_path / "out"

    return start


def test_each_subject_gets_a_folder_with_its_results(run):
    state, folder = run(
        [{"subject": "s1", "text": "ab"}, {"subject": "s2", "text": "cde"}], [{"subject": 3, "text": ""}]
    )
    assert sorted(path.name for path in folder.iterdir()) == ["3", "s1", "s2"]
    assert (folder / "s2" / "a.txt").read_text() == "cde"
    assert (folder / "s2" / "b.txt").read_text() == "CDE"
    assert [row["subject"] for row in state.subjects] == ["s1", "s2", "3"]
    assert [row["length"] for row in state.subjects] == [2, 3, 0]


def test_results_stand_over_inputs_of_the_same_name(run):
    _, folder = run([{"subject": "s1", "text": "ab", "pred": "an input"}])
    assert (folder / "s1" / "b.txt").read_text() == "AB"


def test_metrics_on_disk_are_the_records_of_the_engine(run):
    state, folder = run([{"subject": "s1", "text": "ab"}])
    assert json.loads((folder / "s1" / "metrics.json").read_text()) == state.subjects[0]
    assert state.subjects[0].keys() == {"subject", "length", "inference_time_s"}


def test_time_is_that_of_the_network_divided_among_the_batch(run):
    state, _ = run([{"subject": "s1", "text": "a"}, {"subject": "s2", "text": "b"}], forward=0.1)
    for row in state.subjects:
        assert 0.05 <= row["inference_time_s"] < 0.15


def test_failed_subject_leaves_nothing_under_its_name(run, tmp_path):
    with pytest.raises(OSError, match="no more ink"):
        run([{"subject": "s1", "text": "ab"}, {"subject": "s2", "text": "cd", "broken": True}])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["s1"]


def test_failed_subject_keeps_its_earlier_results(run, tmp_path):
    run([{"subject": "s1", "text": "first"}])
    with pytest.raises(OSError, match="no more ink"):
        run([{"subject": "s1", "text": "second", "broken": True}])
    assert (tmp_path / "out" / "s1" / "a.txt").read_text() == "first"
    assert (tmp_path / "out" / "s1" / "metrics.json").is_file()


def test_second_run_replaces_the_folder(run):
    run([{"subject": "s1", "text": "first"}])
    state, folder = run([{"subject": "s1", "text": "2nd"}])
    assert (folder / "s1" / "a.txt").read_text() == "2nd"
    assert len(state.subjects) == 1


def test_means_are_over_the_subjects_that_have_a_number(tmp_path):
    class Numbers(Texts):
        def write(self, item, folder):
            return {name: item[name] for name in ("dice", "ncc") if name in item}

    def step(engine, batch):
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        return [{} for _ in batch]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    Numbers(str(tmp_path)).attach(engine)
    rows = [{"subject": "a", "ncc": 0.5}, {"subject": "b", "ncc": 1.0, "dice": 0.7}]
    metrics = engine.run([rows]).metrics
    assert (metrics["ncc"], metrics["dice"]) == (0.75, 0.7)


def test_reports_are_told_what_stands_side_by_side(run):
    state, _ = run([{"subject": "s1", "text": "abc"}])
    assert state.subject_columns == {"before": "initial_", "after": ""}
