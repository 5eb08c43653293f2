import logging

import numpy as np
import pytest

from monai_cortex.data.cortical_subjects import cortical_subjects
from monai_cortex.data.dataset_check import check_dataset
from monai_cortex.data.freesurfer import write_morph, write_surface_geometry
from monai_cortex.data.registration_subjects import (
    registration_subjects,
    registration_target,
    shared_features,
)
from monai_cortex.errors import GeometryError, InputFileError

WANTED = ("sulc", "curv", "inflated.H")


@pytest.fixture
def target(tmp_path, freesurfer):
    return freesurfer("fixed/target")


@pytest.fixture
def dataset(tmp_path, freesurfer):
    """Two subjects with everything."""
    for name in ("sub-1", "sub-2"):
        freesurfer(f"data/{name}")
    return tmp_path / "data"


def lose(folder, *names):
    for name in names:
        (folder / "surf" / name).unlink()


def test_hemispheres_of_a_subject_come_together(dataset):
    items = registration_subjects(dataset, ("rh", "lh"), ("curv",))
    assert [item["subject"] for item in items] == ["sub-1", "sub-2"]
    flat = [side for item in items for side in item["hemispheres"].items()]
    listed = cortical_subjects(dataset, ("rh", "lh"), ("curv",))
    assert flat == [(item["hemisphere"], item) for item in listed]
    assert list(items[0]["hemispheres"]) == ["rh", "lh"]
    assert [list(item["hemispheres"]) for item in registration_subjects(dataset, ("lh",))] == [["lh"], ["lh"]]
    assert set(items[0]) == {"subject", "hemispheres"}


def test_missing_file_is_refused_unless_the_rest_is_wanted(dataset, refused):
    lose(dataset / "sub-2", "rh.sulc")
    refused(InputFileError, lambda: registration_subjects(dataset), "rh.sulc", "sub-2")
    assert len(registration_subjects(dataset, strict=False)) == 2


def test_all_features_that_are_there_are_shared(dataset, target, caplog):
    assert shared_features(dataset, target, WANTED) == WANTED
    assert shared_features(dataset, target, ("curv", "sulc", "curv"), ("lh",)) == ("curv", "sulc")
    assert not caplog.records


@pytest.mark.parametrize("where", ["target", "sub-2"])
def test_feature_that_one_lacks_is_left_out_and_named(dataset, target, caplog, where):
    lose(target if where == "target" else dataset / "sub-2", "rh.curv")
    with caplog.at_level(logging.WARNING):
        assert shared_features(dataset, target, WANTED) == ("sulc", "inflated.H")
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [f"no curv of {where} rh"]
    assert shared_features(dataset, target, WANTED, ("lh",)) == WANTED


def test_no_feature_left(dataset, target, refused):
    lose(target, "lh.sulc")
    lose(dataset / "sub-2", "rh.curv")
    words = ("no sulc of target lh, no curv of sub-2 rh", target / "surf" / "lh.sulc", "sulc, curv")
    refused(InputFileError, lambda: shared_features(dataset, target, ("sulc", "curv")), *words)


@pytest.mark.parametrize("lost", [["lh.sphere", "lh.curv"], ["lh.sulc", "lh.curv"]])
def test_hemisphere_that_fails_anyway_does_not_cost_the_others_a_feature(dataset, target, caplog, lost):
    lose(dataset / "sub-1", *lost)
    assert shared_features(dataset, target, ("sulc", "curv")) == ("sulc", "curv")
    assert not caplog.records
    lose(dataset / "sub-1", "rh.sulc", "rh.curv")
    lose(dataset / "sub-2", "lh.sulc", "lh.curv", "rh.sulc", "rh.curv")
    with pytest.raises(InputFileError):
        shared_features(dataset, target, ("sulc", "curv"))


def test_missing_target(dataset, tmp_path, refused):
    refused(InputFileError, lambda: shared_features(dataset, tmp_path / "none", WANTED), tmp_path / "none")


def test_target_is_read_by_side(target, ball):
    found = registration_target(target, ("rh", "lh"), ("curv", "sulc"))
    assert list(found) == ["rh", "lh"]
    for sign, side in ((-1, "rh"), (1, "lh")):
        assert (found[side].subject, found[side].hemisphere) == ("target", side)
        expected = np.array([2, 1])[:, None] * sign * ball.vertices[:, 0].numpy()
        np.testing.assert_allclose(found[side].values, expected, atol=1e-4)
        np.testing.assert_allclose(found[side].sphere.vertices, ball.vertices / 100, atol=1e-6)
    assert list(registration_target(target, ("lh",))) == ["lh"]


def test_target_may_be_the_only_subject_of_a_folder(target):
    assert registration_target(target.parent)["lh"].subject == "target"


def test_several_targets_are_refused(dataset, refused):
    refused(InputFileError, lambda: registration_target(dataset), dataset, "sub-1, sub-2", "one subject", "target_dir")


def test_damaged_target_is_named(target, refused):
    (target / "surf" / "rh.sulc").write_bytes(b"damaged")
    refused(InputFileError, lambda: registration_target(target), target / "surf" / "rh.sulc", "target")
    lose(target, "rh.sulc")
    refused(InputFileError, lambda: registration_target(target), target / "surf" / "rh.sulc")
    assert list(registration_target(target, ("lh",))) == ["lh"]


def test_check_passes_what_is_whole_and_what_lacks_the_optional(dataset):
    lose(dataset / "sub-2", "lh.curv", "rh.inflated.H", "lh.white", "rh.inflated")
    (dataset / "sub-2" / "label" / "lh.aparc.annot").unlink()
    assert check_dataset("spherical_diffusion_registration", dataset)[1] == []


def test_check_collects_one_problem_a_subject(dataset, freesurfer, ball):
    lose(freesurfer("data/a-no-sulc"), "lh.sulc")
    lose(freesurfer("data/b-no-sphere"), "rh.sphere")
    write_morph(freesurfer("data/c-curv") / "surf" / "rh.curv", np.ones(42))
    path = freesurfer("data/d-annot") / "label" / "lh.aparc.annot"
    path.write_bytes(path.read_bytes()[:-4])
    write_surface_geometry(freesurfer("data/e-open") / "surf" / "rh.sphere", ball.vertices, ball.faces[1:])
    errors = check_dataset("spherical_diffusion_registration", dataset)[1]
    assert [type(error) for error in errors] == [InputFileError] * 4 + [GeometryError]
    files = ["a-no-sulc/surf/lh.sulc", "b-no-sphere/surf/rh.sphere", "c-curv/surf/rh.curv"]
    files += ["d-annot/label/lh.aparc.annot", "e-open/surf/rh.sphere"]
    assert all(file in str(error) for file, error in zip(files, errors, strict=True))
