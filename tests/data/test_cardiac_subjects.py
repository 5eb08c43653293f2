"""Pairs of a dataset, whichever of two layouts they come in."""

import logging
from pathlib import Path

import pytest

from monai_cortex.data import cardiac_subjects
from monai_cortex.errors import ConfigError, InputFileError

MNMS = {"lv": 1, "myo": 2, "rv": 3}


def test_named_pairs(tmp_path, heart_pair):
    (heart_pair("b") / "true_warp.nii.gz").write_text("there")
    place = heart_pair("a")
    (place / "moving_seg.nii.gz").unlink()
    (tmp_path / "none").mkdir()
    first, second = cardiac_subjects(tmp_path, labels=MNMS)
    assert first == {
        "subject": "a",
        "direction": "moving2fixed",
        "labels": MNMS,
        **{key: str(place / f"{key}.nii.gz") for key in ("fixed", "moving", "fixed_seg")},
    }
    assert second["true_warp"] == str(tmp_path / "b" / "true_warp.nii.gz")
    assert cardiac_subjects(tmp_path / "a") == [first | {"labels": {"rv": 1, "myo": 2, "lv": 3}}]


@pytest.mark.parametrize(("direction", "moving", "fixed"), [("ed2es", "01", "12"), ("es2ed", "12", "01")])
def test_patients_of_acdc(tmp_path, patient, direction, moving, fixed):
    place = patient("patient001")
    (place / "patient001_4d.nii.gz").write_text("the whole cine")
    (item,) = cardiac_subjects(tmp_path, direction)
    assert (item["subject"], item["direction"]) == ("patient001", direction)
    for name, frame in (("moving", moving), ("fixed", fixed)):
        assert Path(item[name]).name == f"patient001_frame{frame}.nii.gz"
        assert Path(item[f"{name}_seg"]).name == f"patient001_frame{frame}_gt.nii.gz"


def test_patients_within_folders(tmp_path, patient):
    for name in ("database/training/patient002", "database/testing/patient101", "database/training/patient001"):
        patient(name)
    assert [item["subject"] for item in cardiac_subjects(tmp_path)] == ["patient101", "patient001", "patient002"]
    assert len(cardiac_subjects(tmp_path / "database" / "testing")) == 1


def test_direction_without_meaning_is_said(tmp_path, heart_pair, caplog):
    heart_pair()
    with caplog.at_level(logging.WARNING):
        cardiac_subjects(tmp_path)
        assert not caplog.records
        cardiac_subjects(tmp_path, "es2ed")
    assert "direction es2ed changes nothing" in caplog.text


def test_wrong_options(tmp_path, heart_pair, refused):
    heart_pair()
    refused(ConfigError, lambda: cardiac_subjects(tmp_path, "forward"), "forward", "es2ed")
    refused(ConfigError, lambda: cardiac_subjects(tmp_path, labels={"rv": 1}), "labels", "M&Ms")


def test_nothing_to_find(tmp_path, refused):
    refused(InputFileError, lambda: cardiac_subjects(tmp_path / "no"), "no")
    (tmp_path / "empty").mkdir()
    refused(InputFileError, lambda: cardiac_subjects(tmp_path), "1 sub-folders", "Info.cfg", "moving.nii.gz")


def test_missing_image(tmp_path, heart_pair, refused):
    gone = heart_pair() / "moving.nii.gz"
    gone.unlink()
    refused(InputFileError, lambda: cardiac_subjects(tmp_path), gone, "sub-1")
    assert cardiac_subjects(tmp_path, strict=False)[0]["moving"] == str(gone)


def test_patient_without_frames(tmp_path, patient, refused):
    place = patient(info="Group: DCM")
    refused(InputFileError, lambda: cardiac_subjects(tmp_path), place / "Info.cfg", "ED: 1")
    (item,) = cardiac_subjects(tmp_path, strict=False)
    assert item["info"] == str(place / "Info.cfg")
    assert "fixed" not in item


def test_two_of_one_name(tmp_path, patient, refused):
    for folder in ("training", "copy"):
        patient(f"{folder}/patient001")
    refused(InputFileError, lambda: cardiac_subjects(tmp_path), "same name", "patient001", "copy", "training")
