import pytest

from monai_cortex.data.subjects import diffusion_subjects
from monai_cortex.errors import InputFileError


def test_subjects_are_sorted_and_complete(tmp_path, subject, values):
    subject("sub-10")
    folder = subject("sub-02", mask=(values > 100).astype("uint8"))
    for name in ("response_wm.txt", "response_csf.txt", "notes.txt"):
        (folder / name).write_text("1 2")
    subject(".sub-01.partial")
    (tmp_path / "logs").mkdir()
    (tmp_path / "dataset.json").write_text("{}")
    first, second = diffusion_subjects(tmp_path)
    files = {"dwi": "dwi.nii.gz", "bval": "dwi.bval", "bvec": "dwi.bvec"}
    assert second == {"subject": "sub-10"} | {key: str(tmp_path / "sub-10" / name) for key, name in files.items()}
    extra = {"mask": "mask.nii.gz", "response_wm": "response_wm.txt", "response_csf": "response_csf.txt"}
    assert first == {"subject": "sub-02"} | {key: str(folder / name) for key, name in (files | extra).items()}


def test_folder_may_be_one_subject(subject, monkeypatch):
    folder = subject("sub-1")
    (item,) = diffusion_subjects(str(folder))
    assert item["subject"] == "sub-1"
    monkeypatch.chdir(folder)
    assert diffusion_subjects(".")[0]["subject"] == "sub-1"


@pytest.mark.parametrize("lost", ["dwi.bval", "dwi.bvec"])
def test_missing_gradients(tmp_path, subject, refused, lost):
    subject("sub-1")
    path = subject("sub-2") / lost
    path.unlink()
    refused(InputFileError, lambda: diffusion_subjects(tmp_path), path, "sub-2")
    assert [item["subject"] for item in diffusion_subjects(tmp_path, strict=False)] == ["sub-1", "sub-2"]


def test_absent_annexed_image_is_still_a_subject(tmp_path, subject):
    path = subject() / "dwi.nii.gz"
    path.unlink()
    path.symlink_to(".git/annex/objects/x")
    assert len(diffusion_subjects(tmp_path)) == 1


def test_missing_folder_and_folder_without_subjects(tmp_path, refused):
    missing = tmp_path / "missing"
    refused(InputFileError, lambda: diffusion_subjects(missing), missing, "dwi.nii.gz dwi.bval dwi.bvec")
    (tmp_path / "file").write_text("x")
    refused(InputFileError, lambda: diffusion_subjects(tmp_path / "file"), "a file")
    (tmp_path / "empty" / "sub-1").mkdir(parents=True)
    found = refused(InputFileError, lambda: diffusion_subjects(tmp_path / "empty"), "dwi.nii.gz dwi.bval dwi.bvec")
    assert "1 sub-folders" in str(found)
