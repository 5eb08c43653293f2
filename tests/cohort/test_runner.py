"""What becomes of whole cohorts is in tests/faults/test_cohort.py; this is how outcomes are counted and told."""

import json

import pytest

from monai_cortex.cohort.runner import CohortOutcome, run_cohort
from monai_cortex.errors import InputFileError


@pytest.mark.parametrize(
    ("done", "failed", "pending", "code"),
    [(3, 0, 0, 0), (2, 1, 0, 3), (0, 3, 0, 4), (2, 0, 1, 3), (0, 0, 0, 0), (0, 1, 2, 4)],
)
def test_exit_codes(done, failed, pending, code):
    assert CohortOutcome(done, {str(i): "bad" for i in range(failed)}, pending, 0).exit_code == code


def test_data_set_without_subjects_makes_no_folder(request_for, tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(InputFileError):
        run_cohort(request_for())
    assert not (tmp_path / "out").exists()


def test_group_level_computes_nothing(request_for, write_pairs, tmp_path):
    write_pairs(tmp_path / "data", range(2))
    outcome = run_cohort(request_for(report_only=True))
    assert outcome == CohortOutcome(0, {}, 2, 0)
    counts = json.loads((tmp_path / "out" / "report.json").read_text())["counts"]
    assert counts == {"subjects": 2, "done": 0, "failed": 0, "pending": 2}


def test_first_crash_may_end_the_run(cohort, write_pairs, tmp_path):
    data = write_pairs(tmp_path / "data", range(3))
    (data / "sub-00" / "fixed.nii.gz").write_bytes(b"garbage")
    answer = cohort(data, tmp_path / "out", "--stop-on-first-crash")
    assert answer.exit_code == 4
    assert "2 not tried" in answer.output
    assert len(list((tmp_path / "out").glob("sub-*"))) == 0
