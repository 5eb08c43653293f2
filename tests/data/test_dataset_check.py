import pytest

from monai_cortex.data.dataset_check import _INPUTS, check_dataset, dataset_subjects
from monai_cortex.data.freesurfer import write_surface_geometry
from monai_cortex.errors import ConfigError, InputFileError, PluginError, ResourceError


def test_scans_are_counted_and_the_bad_one_is_named(tmp_path, subject):
    subject("a-good")
    (subject("b-no-gradients") / "dwi.bvec").unlink()
    count, (error,) = check_dataset("shd_deconvolution", tmp_path)
    assert count == 2
    assert "b-no-gradients" in str(error)


def test_subject_of_two_hemispheres_counts_once(tmp_path, freesurfer):
    freesurfer("a-good")
    place = freesurfer("b-bad")
    for side in ("lh", "rh"):
        (place / "surf" / f"{side}.sulc").unlink()
    count, (error,) = check_dataset("spherical_diffusion_registration", tmp_path)
    assert count == 2
    assert "b-bad" in str(error)


def test_cortical_surfaces_are_counted_by_subject(tmp_path, ball):
    for name in ("a-good", "b-bad"):
        for kind in ("white", "pial"):
            write_surface_geometry(tmp_path / name / "surf" / f"lh.{kind}", *ball)
    (tmp_path / "b-bad" / "surf" / "lh.pial").unlink()
    count, (error,) = check_dataset("cor2vox_synthesis", tmp_path)
    assert count == 2
    assert "b-bad" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind"), [(MemoryError("8 GB"), ResourceError), (RuntimeError("a\nbug"), InputFileError)]
)
def test_whatever_one_subject_raises_costs_no_other(monkeypatch, refused, fault, kind):
    def read(item):
        if item["subject"] == "bad":
            raise fault

    items = [{"subject": "good"}, {"subject": "bad"}, {"subject": "last"}]
    monkeypatch.setitem(_INPUTS, "shd_deconvolution", (lambda folder, strict: items, read))
    count, (error,) = check_dataset("shd_deconvolution", "any")
    assert (count, type(error)) == (3, kind)
    assert "bad" in str(error)
    assert len(str(error).splitlines()) <= 5


@pytest.mark.parametrize(
    "slug", ["shd_deconvolution", "spherical_diffusion_registration", "cor2vox_synthesis", "fsdiffreg_cardiac"]
)
def test_missing_folder(tmp_path, refused, slug):
    refused(InputFileError, lambda: check_dataset(slug, tmp_path / "missing"), "missing")


def test_unknown_method(tmp_path, refused):
    words = ("shd_deconvolution", "spherical_diffusion_registration")
    refused(ConfigError, lambda: check_dataset("shd", tmp_path), *words)


def test_subjects_are_listed_with_those_that_lack_files(tmp_path, subject):
    subject("a-good")
    (subject("b-no-gradients") / "dwi.bvec").unlink()
    items = dataset_subjects("shd_deconvolution", tmp_path, strict=False)
    assert [item["subject"] for item in items] == ["a-good", "b-no-gradients"]
    assert items[0]["dwi"] == str(tmp_path / "a-good" / "dwi.nii.gz")
    with pytest.raises(InputFileError, match="dwi.bvec"):
        dataset_subjects("shd_deconvolution", tmp_path)
    with pytest.raises(ConfigError):
        dataset_subjects("nothing", tmp_path)


THEIRS = """
from monai_cortex.data import DatasetInputs
from monai_cortex.errors import InputFileError

def subjects(folder, *, strict):
    return (str(folder), "a", "b") if strict else ("a", "b", "c")

def read(item):
    if item == "b":
        raise InputFileError("damaged", subject=item)

INPUTS = DatasetInputs(subjects, read)
WRONG = (subjects, read)
"""


def test_inputs_of_another_distribution_are_listed_and_checked(distribution, refused):
    distribution("theirs", {"inputs": "their_method = their_inputs:INPUTS"}, {"their_inputs.py": THEIRS})
    assert dataset_subjects("their_method", "folder") == ["folder", "a", "b"]
    count, (error,) = check_dataset("their_method", "folder")
    assert count == 3
    assert "subject b" in str(error)
    refused(ConfigError, lambda: check_dataset("their_methods", "folder"), "their_method", "shd_deconvolution")


def test_our_subjects_are_listed_by_the_same_function(tmp_path, subject):
    subject("a-good")
    assert [item["subject"] for item in dataset_subjects("shd_deconvolution", tmp_path)] == ["a-good"]


def test_inputs_of_another_type_are_refused(distribution, refused):
    distribution("theirs", {"inputs": "their_method = their_inputs:WRONG"}, {"their_inputs.py": THEIRS})
    refused(PluginError, lambda: check_dataset("their_method", "folder"), "tuple", "DatasetInputs")
