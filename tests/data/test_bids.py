import pytest

from monai_cortex.data.bids import bids_scans


@pytest.fixture
def dataset(tmp_path):
    """Make empty files; only names matter here."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def scans(folder):
    """Items with paths relative to the folder."""
    return [
        {key: value if key == "subject" else value.removeprefix(f"{folder}/") for key, value in item.items()}
        for item in bids_scans(folder)
    ]


def raw(stem, ending="dwi"):
    return [f"{stem}_{ending}.nii.gz", f"{stem}_{ending}.bval", f"{stem}_{ending}.bvec"]


def test_raw_dataset_with_sessions_and_runs(dataset):
    stems = [f"sub-{s}/dwi/sub-{s}" for s in ("02", "01")]
    stems += [f"sub-03/ses-{y}/dwi/sub-03_ses-{y}_run-{r}" for y in "ab" for r in (2, 1)]
    folder = dataset(
        *(name for stem in stems for name in raw(stem)),
        *raw("sub-01/dwi/sub-01", "sbref"),
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/dwi/other_dwi.nii.gz",
        "derivatives/qsiprep/sub-01/dwi/sub-01_dwi.nii.gz",
        "dataset_description.json",
    )
    found = scans(folder)
    subjects = ["sub-01", "sub-02", *(f"sub-03_ses-{y}_run-{r}" for y in "ab" for r in (1, 2))]
    assert [item["subject"] for item in found] == subjects
    for item in found:
        where = item["subject"].split("_")[:2] if "ses" in item["subject"] else [item["subject"]]
        names = raw("/".join([*where, "dwi", item["subject"]]))
        assert item == {"subject": item["subject"]} | dict(zip(("dwi", "bval", "bvec"), names, strict=True))


QSIPREP = "sub-1/ses-1/dwi/sub-1_ses-1_space-ACPC"


def test_derivatives_with_a_mask_and_an_mrtrix_table(dataset):
    names = raw(f"{QSIPREP}_desc-preproc")
    mask, table = f"{QSIPREP}_desc-brain_mask.nii.gz", f"{QSIPREP}_desc-preproc_dwi.b"
    others = [f"{QSIPREP}_desc-gray_mask.nii.gz", f"{QSIPREP}_dwiref.nii.gz", "sub-1/anat/sub-1_desc-brain_mask.nii.gz"]
    folder = dataset(*names, mask, table, *others)
    (item,) = scans(folder)
    subject = "sub-1_ses-1_space-ACPC_desc-preproc"
    expected = {"subject": subject, "dwi": names[0], "bval": names[1], "bvec": names[2], "mask": mask}
    assert item == expected
    (folder / names[2]).unlink()
    (item,) = scans(folder)
    assert item == {"subject": subject, "dwi": names[0], "gradients": table, "mask": mask}


def test_mask_of_another_space_or_run_is_not_taken(dataset):
    folder = dataset(
        *raw("sub-1/dwi/sub-1_run-1"),
        "sub-1/dwi/sub-1_run-2_desc-brain_mask.nii.gz",
        "sub-1/dwi/sub-1_run-1_space-T1w_desc-brain_mask.nii.gz",
    )
    assert "mask" not in scans(folder)[0]
    dataset("sub-1/dwi/sub-1_desc-brain_mask.nii.gz")
    assert scans(folder)[0]["mask"] == "sub-1/dwi/sub-1_desc-brain_mask.nii.gz"


def test_gradients_are_inherited_from_the_nearest_level(dataset):
    image = "sub-1/ses-1/dwi/sub-1_ses-1_acq-x_dwi.nii.gz"
    folder = dataset(image, "dwi.bval", "dwi.bvec", "sub-2_dwi.bval", "task-rest_dwi.bval", "xdwi.bval")
    (item,) = scans(folder)
    assert (item["bval"], item["bvec"]) == ("dwi.bval", "dwi.bvec")
    dataset("acq-x_dwi.bval")
    assert scans(folder)[0]["bval"] == "acq-x_dwi.bval"  # of one level, the file of most entities
    dataset("sub-1/sub-1_dwi.bval")
    assert scans(folder)[0]["bval"] == "sub-1/sub-1_dwi.bval"
    dataset("sub-1/ses-1/sub-1_ses-1_dwi.bval", "sub-1/ses-1/sub-1_ses-1_acq-y_dwi.bval")
    (item,) = scans(folder)
    assert (item["bval"], item["bvec"]) == ("sub-1/ses-1/sub-1_ses-1_dwi.bval", "dwi.bvec")


def test_inheritance_ends_at_the_dataset(dataset):
    folder = dataset("dwi.bval", "dwi.bvec", "bids/sub-1/dwi/sub-1_dwi.nii.gz") / "bids"
    assert scans(folder)[0]["bval"] == "sub-1/dwi/sub-1_dwi.bval"  # where it is missed


@pytest.mark.parametrize("part", ["sub-1", "sub-1/ses-1", "."])
def test_part_of_a_dataset(dataset, monkeypatch, part):
    folder = dataset(*raw("sub-1/ses-1/dwi/sub-1_ses-1"))
    monkeypatch.chdir(folder)
    assert [item["subject"] for item in bids_scans((folder / part).relative_to(folder))] == ["sub-1_ses-1"]
    (item,) = bids_scans(folder / part)
    assert item["bval"] == str(folder / "sub-1/ses-1/dwi/sub-1_ses-1_dwi.bval")


def test_no_bids_names(dataset):
    assert bids_scans(dataset("s1/dwi.nii.gz", "sub-2/dwi/dwi.nii.gz")) == []


def test_absent_annexed_files_are_still_listed(dataset):
    folder = dataset(*raw("sub-1/dwi/sub-1"))
    for path in folder.glob("sub-1/dwi/*"):
        path.unlink()
        path.symlink_to(".git/annex/objects/x")
    (item,) = scans(folder)
    assert item["bval"] == "sub-1/dwi/sub-1_dwi.bval"
