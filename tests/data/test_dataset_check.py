import pytest

from monai_cortex.data.dataset_check import check_dataset
from monai_cortex.data.freesurfer import write_surface_geometry
from monai_cortex.errors import ConfigError, InputFileError


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
    "slug", ["shd_deconvolution", "spherical_diffusion_registration", "cor2vox_synthesis", "fsdiffreg_cardiac"]
)
def test_missing_folder(tmp_path, refused, slug):
    refused(InputFileError, lambda: check_dataset(slug, tmp_path / "missing"), "missing")


def test_unknown_method(tmp_path, refused):
    words = ("shd_deconvolution", "spherical_diffusion_registration")
    refused(ConfigError, lambda: check_dataset("shd", tmp_path), *words)
