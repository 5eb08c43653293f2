"""The runner of timings: numbers are what they are called, and a case runs from the command line."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner


@pytest.fixture(scope="module")
def benchmarks(load_tool):
    """Modules of tools/benchmarks, found as when the tool runs."""
    load_tool("benchmark")
    from benchmarks import case, measure, report

    return type("Modules", (), {"case": case, "measure": measure, "report": report})


def test_ratio_is_that_of_the_medians_and_its_interval_holds_it(benchmarks):
    found = benchmarks.measure.summary([1.0, 2.0, 30.0], [4.0, 4.0, 4.0])
    assert found["time_ratio"] == pytest.approx(0.5)
    low, high = found["time_interval"]
    assert low <= 0.5 <= high
    assert found["ours_quartiles_s"] == [1.5, 16.0]
    per_voxel = benchmarks.measure.summary([1.0] * 3, [4.0] * 3, units=(10, 5))
    assert per_voxel["time_ratio"] == pytest.approx(0.1 / 0.8)


def test_sides_take_turns(benchmarks):
    calls = []
    pair = benchmarks.case.Pair(lambda: calls.append("A"), lambda: calls.append("B"))
    ours, reference = benchmarks.measure.alternate(pair, 3, torch.device("cpu"))
    assert "".join(calls) == "AB" * 5  # two turns to warm up
    assert len(ours) == len(reference) == 3


def test_slower_side_is_measured_as_slower(benchmarks):
    pair = benchmarks.case.Pair(lambda: None, lambda: time.sleep(0.02))
    ours, reference = benchmarks.measure.alternate(pair, 3, torch.device("cpu"))
    assert max(ours) < 0.02 <= min(reference)


def test_results_that_differ_are_refused(benchmarks):
    ones = torch.ones(3)
    same = benchmarks.case.Pair(lambda: ones, lambda: ones + 1e-7)
    assert 0 < benchmarks.measure.difference(same) < 1e-6
    with pytest.raises(ArithmeticError, match="differ by"):
        benchmarks.measure.difference(benchmarks.case.Pair(lambda: ones, lambda: ones + 1e-3))
    with pytest.raises(ArithmeticError, match="compared"):
        benchmarks.measure.difference(benchmarks.case.Pair(lambda: ones, lambda: ones[:2]))


def test_peak_counts_what_is_freed_again(benchmarks, repository):
    """In a process of its own, as in a benchmark: free memory of this one may hold the tensor already."""
    lines = (
        "import torch",
        "from benchmarks.measure import peak_bytes",
        "print(peak_bytes(lambda: float(torch.ones(2**24).sum()), torch.device('cpu')))",
    )
    environment = os.environ | benchmarks.measure.MALLOC | {"PYTHONPATH": str(repository / "tools")}
    command = [sys.executable, "-c", "\n".join(lines)]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    assert found == "None" or 2**25 < int(found) < 2**28


@pytest.mark.parametrize(
    ("time_ratio", "memory_ratio", "expected"),
    [(0.5, 0.5, True), (0.7, 0.5, False), (0.5, 0.7, False), (0.5, None, None)],
)
def test_targets_are_held_against_both_ratios(benchmarks, time_ratio, memory_ratio, expected):
    record = {"time_ratio": time_ratio, "memory_ratio": memory_ratio, "time_target": 0.6, "memory_target": 0.6}
    assert benchmarks.report.met(record) is expected
    assert benchmarks.report.met(record | {"time_target": None, "memory_target": None}) is None


@pytest.mark.parametrize(
    ("method", "case", "memory"),
    [
        ("readers", "morph", False),
        pytest.param("shd_deconvolution", "layer_plain_nside2", True, marks=pytest.mark.whole),
    ],
)
def test_case_is_measured_in_processes_of_its_own(load_tool, tmp_path, method, case, memory):
    file = tmp_path / "speed.json"
    options = ["--case", case, "--repeats", "1", "--threads", "1", "--output", str(file)]
    answer = CliRunner().invoke(load_tool("benchmark").main, [method, *options], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    (record,) = json.loads(file.read_text())["cases"]
    assert record["difference"] < 1e-5
    assert record["time_ratio"] == pytest.approx(record["ours_s"] / record["reference_s"])
    assert (record["memory_ratio"] is not None) == memory
    assert record["what"] in answer.output


def test_unknown_case_is_answered_with_the_known(load_tool):
    answer = CliRunner().invoke(load_tool("benchmark").main, ["shd_deconvolution", "--case", "nothing"])
    assert answer.exit_code == 2
    assert "layer_plain_nside2" in answer.output


def test_committed_page_shows_the_record(benchmarks, repository):
    place = repository / "docs" / "evidence" / "shd_deconvolution_speed.json"
    record = json.loads(place.read_text())
    assert benchmarks.report.table(record["cases"]) in place.with_suffix(".md").read_text()
