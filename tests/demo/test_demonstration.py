import json
import sys

import pytest

from monai_cortex.demo import Demonstration, Finding
from monai_cortex.visualize import Table


@pytest.fixture
def demonstration(monkeypatch):
    """Its commands are printed and do nothing."""
    monkeypatch.setattr(sys, "executable", "true")
    return Demonstration(
        bundle="fsdiffreg_cardiac",
        data="two numbers",
        title="Try",
        finding=lambda subject: Finding("number", f"{subject['number']:.1f}", "0.5 (before)"),
        tables=lambda subject: iter([Table(["kind", "number"], [[subject["subject"], subject["number"]]])]),
        words=("--level", "3"),
        sizes=("--spacing", "2"),
    )


def commands(text):
    return [line.split("configs/")[1] for line in text.splitlines() if line.startswith("$")]


def test_without_steps_there_is_one_command(demonstration, tmp_path, capfd):
    demonstration.run(tmp_path, "sqlite:///x.db")
    (command,) = commands(capfd.readouterr().out)
    places = f"--output_dir {tmp_path} --tracking_uri sqlite:///x.db"
    assert command == f"inference.json {places} --spacing 2 --level 3"


@pytest.mark.parametrize(("steps", "epochs"), [(0, 1), (3, 3), (25, 10)])
def test_with_steps_it_is_trained_first_in_at_most_ten_epochs(demonstration, tmp_path, capfd, steps, epochs):
    demonstration.run(tmp_path, "sqlite:///x.db", steps)
    train, infer = commands(capfd.readouterr().out)
    assert train.startswith("train.json")
    assert train.endswith(f"--spacing 2 --steps {steps} --epochs {epochs}")
    assert infer.endswith(f"--level 3 --weights {tmp_path}/model.pt")


@pytest.mark.parametrize(("steps", "shown"), [(None, 60), (5, 5)])
def test_what_fits_takes_the_steps_itself(tmp_path, capfd, monkeypatch, steps, shown):
    from monai_cortex.demo import DEMONSTRATIONS

    monkeypatch.setattr(sys, "executable", "true")
    DEMONSTRATIONS["shd_deconvolution"].run(tmp_path, "sqlite:///x.db", steps)
    out = capfd.readouterr().out
    assert out.count("$ python") == 1
    assert f"--steps {shown}\n" in out
    assert "fit.json" in out


def test_bundle_without_a_report_is_no_failure(demonstration, tmp_path):
    assert demonstration.summarize(tmp_path) == Finding("see its folder")
    (tmp_path / "report.json").write_text('{"subjects": []}')
    assert demonstration.summarize(tmp_path) == Finding("see its folder")


def test_tables_of_all_subjects_are_shown_and_the_first_is_the_finding(demonstration, tmp_path, capsys):
    subjects = [{"subject": "a", "number": 1.25}, {"subject": "b", "number": 2.5}]
    (tmp_path / "report.json").write_text(json.dumps({"subjects": subjects}))
    assert demonstration.summarize(tmp_path) == Finding("number", "1.2", "0.5 (before)")
    out = capsys.readouterr().out
    assert "a       1.25" in out
    assert "b       2.50" in out
