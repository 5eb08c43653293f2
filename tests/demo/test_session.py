import sys

import pytest

from monai_cortex.demo.session import Step, introduce, run_steps, show_table, train_for_a_while
from monai_cortex.errors import CortexError


def test_table_is_aligned_with_numbers_to_the_right(capsys):
    show_table(["method", "time [s]"], [["long name", "1.0"], ["x", "123.45"]])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "method     time [s]",
        "---------  --------",
        "long name       1.0",
        "x            123.45",
    ]


def test_introduction_names_version_and_folder(capsys, tmp_path):
    introduce("some_method", tmp_path)
    text = capsys.readouterr().out
    assert "some_method" in text
    assert str(tmp_path) in text


def test_command_is_printed_as_typed_and_a_failure_says_how_to_see_more(capfd, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(CortexError, match="exit code 1") as caught:
        run_steps([Step("try", ["--config_file", "a b.json", "--other", "['c.json','d.json']"])])
    printed = capfd.readouterr().out
    assert "$ python -m monai.bundle run --config_file 'a b.json' --other \"['c.json','d.json']\"" in printed
    assert "MONAI_CORTEX_DEBUG" in str(caught.value)


def test_time_of_successful_steps_is_measured(capfd, monkeypatch):
    monkeypatch.setattr(sys, "executable", "true")
    assert 0 < run_steps([Step("one", []), Step("two", [])]) < 10
    assert capfd.readouterr().out.count("$ python -m monai.bundle run") == 2


@pytest.mark.parametrize(("steps", "epochs"), [(0, 1), (3, 3), (25, 10)])
def test_training_has_at_most_ten_epochs(capfd, monkeypatch, tmp_path, steps, epochs):
    monkeypatch.setattr(sys, "executable", "true")
    assert train_for_a_while("Train", tmp_path / "configs", tmp_path, steps, "--spacing", "2") == tmp_path / "model.pt"
    printed = capfd.readouterr().out
    assert f"{tmp_path}/configs/train.json" in printed
    assert f"--spacing 2 --steps {steps} --epochs {epochs}" in printed
