import pytest

from monai_cortex.data.subjects import diffusion_subjects
from monai_cortex.errors import InputFileError


def test_subjects_are_sorted_and_complete(tmp_path, subject, values):
    subject("sub-10")
    folder = subject("sub-02", mask=(values > 100).astype("uint8"))
    truth = {f"truth_{name}": f"truth_{name}.nii.gz" for name in ("fibers", "wmfod", "tissues")}
    for name in ("response_wm.txt", "response_csf.txt", "notes.txt", *truth.values()):
        (folder / name).write_text("1 2")
    subject(".sub-01.partial")
    (tmp_path / "logs").mkdir()
    (tmp_path / "dataset.json").write_text("{}")
    first, second = diffusion_subjects(tmp_path)
    files = {"dwi": "dwi.nii.gz", "bval": "dwi.bval", "bvec": "dwi.bvec"}
    assert second == {"subject": "sub-10"} | {key: str(tmp_path / "sub-10" / name) for key, name in files.items()}
    extra = {"mask": "mask.nii.gz", "response_wm": "response_wm.txt", "response_csf": "response_csf.txt"}
    assert first == {"subject": "sub-02"} | {key: str(folder / name) for key, name in (files | extra | truth).items()}


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
    layouts = ["dwi.nii.gz dwi.bval dwi.bvec (or dwi.b)", "sub-<label>[_...]_dwi.nii.gz"]
    refused(InputFileError, lambda: diffusion_subjects(missing), missing, *layouts)
    (tmp_path / "file").write_text("x")
    refused(InputFileError, lambda: diffusion_subjects(tmp_path / "file"), "a file")
    (tmp_path / "empty" / "sub-1").mkdir(parents=True)
    found = refused(InputFileError, lambda: diffusion_subjects(tmp_path / "empty"), *layouts)
    assert "1 sub-folders" in str(found)


def test_mrtrix_table_stands_in_for_an_incomplete_pair(tmp_path, subject):
    folder = subject("sub-1")
    (folder / "dwi.b").write_text("0 0 0 0")
    assert "gradients" not in diffusion_subjects(tmp_path)[0]
    (folder / "dwi.bvec").unlink()
    (item,) = diffusion_subjects(tmp_path)
    assert item == {"subject": "sub-1", "dwi": str(folder / "dwi.nii.gz"), "gradients": str(folder / "dwi.b")}


def bids_image(folder, stem):
    """An image with its gradients under BIDS names, copied from the contract's."""
    place = folder.parent / stem.split("_")[0] / "dwi"
    place.mkdir(parents=True)
    for end in ("nii.gz", "bval", "bvec"):
        (place / f"{stem}_dwi.{end}").write_bytes((folder / f"dwi.{end}").read_bytes())
    return place


def test_both_layouts_in_one_folder(tmp_path, subject):
    place = bids_image(subject("sub-2"), "sub-1_run-1")
    assert [item["subject"] for item in diffusion_subjects(tmp_path)] == ["sub-1_run-1", "sub-2"]
    assert diffusion_subjects(tmp_path)[0]["bvec"] == str(place / "sub-1_run-1_dwi.bvec")


def test_bids_image_without_gradients(tmp_path, subject, refused):
    path = bids_image(subject("sub-2"), "sub-1") / "sub-1_dwi.bvec"
    path.unlink()
    refused(InputFileError, lambda: diffusion_subjects(tmp_path), path, "sub-1")
    assert len(diffusion_subjects(tmp_path, strict=False)) == 2


def test_two_scans_of_one_name(tmp_path, subject, refused):
    folder = subject("sub-1")
    place = bids_image(folder, "sub-1")
    names = [str(folder / "dwi.nii.gz"), str(place / "sub-1_dwi.nii.gz")]
    refused(InputFileError, lambda: diffusion_subjects(tmp_path), "sub-1", *names)
