"""The command as it is called; what becomes of cohorts is in tests/faults/test_cohort.py."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main
from monai_cortex.cohort.request import CohortRequest
from monai_cortex.cohort.runner import CohortOutcome
from monai_cortex.cohort.shard import Shard

QUICK = [f"--override={text}" for text in ("refine=false", "spacing=null", "roi=null", "labels=null", "track=false")]


@pytest.fixture
def asked(monkeypatch):
    """The requests that command lines are understood as; nothing is computed."""
    requests = []

    def keep(request):
        requests.append(request)
        return CohortOutcome(3, {"sub-1": "InputFileError: bad"}, 1, 2)

    monkeypatch.setattr("monai_cortex.cohort.run_cohort", keep)
    return lambda *words: (CliRunner().invoke(main, ["cohort", "m", "d", "o", *words]), *requests[-1:])


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ([], []),
        (["participant"], []),
        (["participant", "--participant-label", "01", "02"], ["01", "02"]),
        (["participant", "--participant_label", "01", "sub-02", "--shard", "1/2"], ["01", "sub-02"]),
        (["--participant-label", "01,02", "--participant-label", "03"], ["01", "02", "03"]),
    ],
)
def test_calling_form_of_bids_apps(asked, words, labels):
    _, request = asked(*words)
    assert list(request.labels) == labels
    assert not request.report_only


def test_every_option_arrives(asked, tmp_path):
    for name in ("a.json", "list.txt"):
        (tmp_path / name).write_text("{}")
    words = ["--shard", "2/5", "--config", str(tmp_path / "a.json"), "--override", "a=1", "--override", "b=2"]
    words += ["--device", "cpu", "--memory-limit", "2.5", "--overwrite", "--verify", "--stop-on-first-crash"]
    _, request = asked("group", *words, "--participants-file", str(tmp_path / "list.txt"))
    assert request.__class__ is CohortRequest
    assert request.shard == Shard(2, 5)
    assert (request.configs, request.overrides) == ((tmp_path / "a.json",), ("a=1", "b=2"))
    assert (request.device, request.memory_gb, request.participants_file) == ("cpu", 2.5, tmp_path / "list.txt")
    assert request.overwrite
    assert request.verify
    assert request.stop_on_first_crash
    assert request.report_only


def test_outcome_is_told(asked):
    answer, _ = asked()
    assert answer.exit_code == 3
    assert "3 of 5 subjects done (2 of them before), 1 failed, 1 not tried; report in o" in answer.output
    assert "InputFileError: bad" in answer.output


@pytest.mark.parametrize(
    "words", [["subject"], ["participant", "x"], ["--shard", "x"], ["--memory-limit", "0"], ["--launcher", "dask"]]
)
def test_misuse(asked, words):
    answer, *requests = asked(*words)
    assert answer.exit_code == 2
    assert not requests


def test_whole_command_as_it_is_typed(write_pairs, tmp_path):
    """With the worker as a program of its own; the second call computes nothing."""
    data = write_pairs(tmp_path / "data", range(2))
    command = [sys.executable, "-m", "monai_cortex", "cohort", "fsdiffreg_cardiac", str(data), str(tmp_path / "out")]
    for kept in (0, 2):
        run = subprocess.run([*command, "--device", "cpu", *QUICK], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert f"2 of 2 subjects done ({kept} of them before)" in run.stdout
        assert run.stderr == ""
    assert (tmp_path / "out" / "sub-01" / "warp.nii.gz").is_file()
