import base64
import json
import re

import pytest
from ignite.engine import Engine, Events

from monai_cortex.handlers import RunReport
from monai_cortex.visualize import Table, png, training_figure

METADATA = {
    "name": "Tiny bundle",
    "version": "1.2.3",
    "description": "Turns numbers into other numbers.",
    "intended_use": "Tests only.",
    "references": ["Author et al., Journal, 2024"],
}
SUBJECTS = [
    {"subject": "s1", "voxels": 12, "residual_percent": 3.25, "shells": [0, 1000], "responses": {"wm": "file"}},
    {"subject": "s2", "voxels": 34, "residual_percent": 9.5, "shells": [0, 1000], "responses": {"wm": "estimated"}},
]


@pytest.fixture
def folders(tmp_path):
    """Folders of the bundle and of the run, as text."""
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    (tmp_path / "bundle" / "configs" / "metadata.json").write_text(json.dumps(METADATA))
    (tmp_path / "out").mkdir()
    return {"output_dir": str(tmp_path / "out"), "bundle_root": str(tmp_path / "bundle")}


@pytest.fixture(scope="module")
def picture():
    rows = [{"step": i, "loss": 1.0 / i, "learning_rate": 0.1} for i in (1, 2)]
    return png(training_figure(rows))


@pytest.fixture
def evaluate(folders, tmp_path, picture):
    """Run an evaluator that has written the given subjects; gives the page and the record."""

    def run(subjects=SUBJECTS, metrics=(("mean_residual", 6.375),), **options):
        for row in subjects:
            (tmp_path / "out" / row["subject"]).mkdir()
            (tmp_path / "out" / row["subject"] / "qc.png").write_bytes(picture)
        engine = Engine(lambda e, b: None)

        @engine.on(Events.ITERATION_COMPLETED)
        def finish(engine):
            engine.state.subjects, engine.state.metrics = subjects, dict(metrics)

        RunReport(**folders, **options).attach(engine)
        engine.run([0])
        out = tmp_path / "out"
        return (out / "report.html").read_text(encoding="utf-8"), json.loads((out / "report.json").read_text())

    return run


def test_page_is_self_contained(evaluate):
    page, _ = evaluate()
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "<script" not in page
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r"<link|@import|url\(", page)


def test_page_tells_method_subjects_and_pictures(evaluate, picture):
    page, _ = evaluate(seed=7)
    for text in (*[METADATA[k] for k in ("name", "description", "intended_use")], METADATA["references"][0]):
        assert text in page
    for text in ("s1", "s2", "3.25", "9.5", "mean residual", "6.38", "0, 1000", "wm: estimated"):
        assert text in page
    assert page.count(base64.b64encode(picture).decode()) == 2
    assert "python -m monai.bundle run --config_file configs/inference.json --seed 7" in page


def test_record_is_for_programs(evaluate):
    _, record = evaluate(seed=7)
    assert record.pop("time_s") >= 0
    assert record == {
        "bundle": "Tiny bundle",
        "version": "1.2.3",
        "seed": 7,
        "subjects": SUBJECTS,
        "metrics": {"mean_residual": 6.375},
        "checks": [],
    }


def test_limits_become_checks_of_each_subject(evaluate):
    page, _ = evaluate(limits={"residual_percent": 5.0})
    assert "s1: residual [%]" in page
    assert "3.25, at most 5" in page
    verdicts = dict(re.findall(r"(✓ passed|✗ failed)</td><td>(s\d): residual", page))
    assert verdicts == {"✓ passed": "s1", "✗ failed": "s2"}
    assert "1 of 2 checks passed" in page


def test_limit_itself_is_acceptable(evaluate):
    assert "2 of 2 checks passed" in evaluate(limits={"residual_percent": 9.5})[0]


def test_training_is_shown_by_its_history(training, folders, tmp_path):
    run = training(epochs=1, handlers=[RunReport(**folders, config="train.json", seed=0)])
    run.trainer.run()
    out = tmp_path / "out"
    page, picture = (out / "report.html").read_text(encoding="utf-8"), (out / "figures" / "training.png").read_bytes()
    assert base64.b64encode(picture).decode() in page
    assert re.search(r"training steps\D+3\b", re.sub(r"<[^>]*>", " ", page))
    assert "configs/train.json" in page
    assert json.loads((out / "report.json").read_text())["subjects"] == []


def test_metrics_of_a_training_are_those_of_its_validator(training, folders, tmp_path):
    run = training(epochs=1)
    validator = run.validate()
    RunReport(**folders, validator=validator).attach(run.trainer)
    run.trainer.run()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["metrics"] == {"runs_count": 1.0}


def test_only_the_first_dozen_subjects_are_pictured(evaluate, picture):
    rows = [{"subject": f"n{i:02d}", "voxels": i} for i in range(14)]
    page, record = evaluate(rows)
    assert page.count(base64.b64encode(picture).decode()) == 12
    assert "n13" in page
    assert "Subject n11." in page
    assert len(record["subjects"]) == 14


def test_nothing_is_published_where_the_run_fails(folders, tmp_path):
    engine = Engine(lambda e, b: 1 / 0)
    RunReport(**folders).attach(engine)
    with pytest.raises(ZeroDivisionError):
        engine.run([0])
    assert not list((tmp_path / "out").iterdir())


def test_missing_subject_list_is_no_error(folders, tmp_path):
    engine = Engine(lambda e, b: None)
    RunReport(**folders).attach(engine)
    engine.run([0])
    assert (tmp_path / "out" / "report.html").is_file()


def test_numbers_that_only_some_subjects_have_are_shown_for_these(evaluate):
    rows = [{"subject": "s1", "ncc": 0.5}, {"subject": "s2", "ncc": 0.75, "dice": 0.625}]
    page = re.sub(r"<[^>]*>", " ", evaluate(rows)[0])
    assert re.search(r"ncc\s+0\.5\s+0\.75", page)
    assert re.search(r"dice\s+n/a\s+0\.625", page)


def test_what_a_writer_puts_side_by_side_is_one_row(folders, tmp_path, picture):
    (tmp_path / "out" / "s1").mkdir()
    (tmp_path / "out" / "s1" / "qc.png").write_bytes(picture)
    engine = Engine(lambda e, b: None)

    @engine.on(Events.ITERATION_COMPLETED)
    def finish(engine):
        engine.state.subjects = [{"subject": "s1", "initial_dice": 0.5, "dice": 0.75}]
        engine.state.subject_columns = {"before": "initial_", "after": ""}
        engine.state.metrics = {"dice": 0.75}

    RunReport(**folders).attach(engine)
    engine.run([0])
    page = re.sub(r"<[^>]*>", " ", (tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert re.search(r"quantity\s+before\s+after\s+dice\s+0\.5\s+0\.75", page)
    assert len(re.findall(r"\bdice\b", page)) == 1


def test_sections_have_their_say_after_the_subjects(evaluate):
    class Section:
        def blocks(self, engine):
            return [f"There are {len(engine.state.subjects)} subjects.", Table(["region"], [["cuneus"]])]

    page, _ = evaluate(sections=[Section(), Section()])
    assert page.count("There are 2 subjects.") == page.count("cuneus") == 2
    assert page.index("Subject s2.") < page.index("There are 2 subjects.") < page.index('id="checks"')
