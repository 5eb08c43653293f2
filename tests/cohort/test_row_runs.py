import pytest

from monai_cortex.cohort.row_runs import run_rows
from monai_cortex.data import bundle_folder

QUICK = {"refine": False, "spacing": [1.5, 1.5, 3.15], "roi": [16, 16], "device": "cpu"}


@pytest.fixture
def run(small_pictures):
    from pathlib import Path

    root = Path(bundle_folder("fsdiffreg_cardiac"))
    return lambda *rows: run_rows(root, rows, QUICK)


def test_one_that_fails_costs_no_other(run, write_pairs, tmp_path):
    data, out = write_pairs(tmp_path / "in", [1, 2]), tmp_path / "out"
    (data / "sub-01" / "moving.nii.gz").write_bytes(b"no image")
    first, second = run({"dataset_dir": str(data), "output_dir": str(out)})
    assert (first["subject"], first["status"], first["files"]) == ("sub-01", "failed", [])
    assert first["message"].startswith("InputFileError: ")
    assert (second["subject"], second["status"], second["message"]) == ("sub-02", "done", "")
    assert "sub-02/warp.nii.gz" in second["files"]
    assert {path.name for path in out.iterdir()} == {"sub-02"}


def test_a_row_may_name_its_subject(run, write_pairs, tmp_path):
    data, out = str(write_pairs(tmp_path / "in", [1, 2])), str(tmp_path / "out")
    rows = [{"dataset_dir": data, "output_dir": out, "subject": name} for name in ("sub-02", "sub-09")]
    done, unknown = run(*rows)
    assert (done["subject"], done["status"]) == ("sub-02", "done")
    assert (unknown["subject"], unknown["status"]) == ("sub-09", "failed")


@pytest.mark.parametrize("row", [{"dataset_dir": "in"}, {"output_dir": "out", "dataset_dir": ""}])
def test_a_row_without_a_folder_is_refused(run, row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = run(row)
    assert line["message"].startswith("ConfigError: a row names no ")
