import os

import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import pytest
import torch

from monai_cortex.data.cortical_subjects import cortical_subjects, read_cortical_subject
from monai_cortex.data.freesurfer import write_morph, write_surface_geometry
from monai_cortex.data.gifti_writer import write_gifti_sphere, write_gifti_values
from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere

COLORS = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]])  # as in the fixture
FEATURES = ("sulc", "curv", "inflated.H")
LONG = torch.tensor([20.0, 80, 30])


@pytest.fixture
def gifti_subject(tmp_path, ball, gifti, gifti_array):
    """Write one subject in GIFTI; the names have a place for the letter of the hemisphere."""

    def write(name="sub-1", sphere="{0}.sphere.surf.gii", sulc="{0}.sulc.shape.gii", labels="", letters="LR"):
        place = tmp_path / name
        for letter in letters:
            side = f"{letter.lower()}h"
            write_gifti_sphere(place / sphere.format(letter), ball.vertices, ball.faces, side)
            write_gifti_values(place / sulc.format(letter), ball.vertices[:, 1], side)
            if labels:
                table = '<LabelTable><Label Key="0">???</Label><Label Key="5">cuneus</Label></LabelTable>'
                array = gifti_array(5 * (np.arange(162, dtype="<i4") % 2), "LABEL")
                gifti(f"{name}/{labels.format(letter)}", array, inside=table)
        return place

    return write


def test_items_of_freesurfer_subjects(tmp_path, freesurfer):
    freesurfer("sub-10", extra=False)
    place = freesurfer("sub-02")
    for name in (".sub-01.partial/surf", "logs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "dataset.json").write_text("{}")
    items = cortical_subjects(tmp_path, features=("curv", "sulc"))
    assert [(item["subject"], item["hemisphere"]) for item in items] == [
        (name, side) for name in ("sub-02", "sub-10") for side in ("lh", "rh")
    ]
    surf = place / "surf"
    assert items[1] == {
        "subject": "sub-02",
        "hemisphere": "rh",
        "sphere": str(surf / "rh.sphere"),
        "features": {"curv": str(surf / "rh.curv"), "sulc": str(surf / "rh.sulc")},
        "annot": str(place / "label" / "rh.aparc.annot"),
        "inflated": str(surf / "rh.inflated"),
        "white": str(surf / "rh.white"),
    }
    assert list(items[1]["features"]) == ["curv", "sulc"]
    assert set(items[2]) == {"subject", "hemisphere", "sphere", "features"}
    assert [item["hemisphere"] for item in cortical_subjects(tmp_path, ("rh",))] == ["rh", "rh"]


def test_folder_may_be_one_subject(freesurfer, gifti_subject, monkeypatch):
    place = freesurfer("sub-1")
    assert [item["subject"] for item in cortical_subjects(str(place))] == ["sub-1", "sub-1"]
    monkeypatch.chdir(place)
    assert cortical_subjects(".")[0]["subject"] == "sub-1"
    place = gifti_subject("sub-2")
    assert [item["subject"] for item in cortical_subjects(place, ["lh"])] == ["sub-2"]


def test_link_to_a_subject_keeps_its_own_name(tmp_path, freesurfer):
    place = freesurfer("sub-1")
    (tmp_path / "sub-2").symlink_to(place)
    assert [item["subject"] for item in cortical_subjects(tmp_path, ["lh"])] == ["sub-1", "sub-2"]


@pytest.mark.parametrize(
    ("sphere", "sulc", "labels"),
    [
        ("{0}.sphere.surf.gii", "{0}.sulc.shape.gii", "{0}.aparc.label.gii"),
        ("100307.{0}.sphere.32k_fs_LR.surf.gii", "100307.{0}.sulc.32k_fs_LR.shape.gii", "100307.{0}.aparc.label.gii"),
        ("sub-1_hemi-{0}_sphere.surf.gii", "sub-1_hemi-{0}_sulc.shape.gii", "sub-1_hemi-{0}_aparc.label.gii"),
        ("anat/sub-1_hemi-{0}_sphere.surf.gii", "anat/sub-1_hemi-{0}_sulc.shape.gii", ""),
    ],
)
def test_items_of_gifti_subjects(tmp_path, gifti_subject, sphere, sulc, labels):
    place = gifti_subject("sub-1", sphere, sulc, labels)
    first, second = cortical_subjects(tmp_path)
    expected = {"subject": "sub-1", "hemisphere": "rh", "sphere": str(place / sphere.format("R"))}
    expected["features"] = {"sulc": str(place / sulc.format("R"))}
    assert second == expected | ({"annot": str(place / labels.format("R"))} if labels else {})
    found = read_cortical_subject(first)
    assert found.hemisphere == "lh"
    assert found.values.shape == (1, 162)
    assert found.label_names == (("???", "cuneus") if labels else ())
    if labels:
        assert found.labels.tolist() == [-1, 1] * 81


def test_registered_spheres_are_left_out(tmp_path, gifti_subject, ball):
    place = gifti_subject("sub-1")
    for name in ("L.sphere.reg.surf.gii", "L.sphere.MSMSulc.surf.gii", "lh.sphere.mcx.reg.surf.gii"):
        write_gifti_sphere(place / name, ball.vertices, ball.faces, "lh")
    assert cortical_subjects(tmp_path)[0]["sphere"] == str(place / "L.sphere.surf.gii")


def test_two_files_for_one_place(tmp_path, gifti_subject, refused):
    place = gifti_subject("sub-1")
    gifti_subject("sub-2")
    (place / "L.sphere.native.surf.gii").write_bytes((place / "L.sphere.surf.gii").read_bytes())
    words = ("sub-1", "L.sphere.native.surf.gii", "L.sphere.surf.gii")
    refused(InputFileError, lambda: cortical_subjects(tmp_path), *words)
    items = cortical_subjects(tmp_path, strict=False)
    refused(InputFileError, lambda: read_cortical_subject(items[0]), "sub-1", "L.sphere")
    assert [read_cortical_subject(item).subject for item in items[1:]] == ["sub-1", "sub-2", "sub-2"]


@pytest.mark.parametrize("lost", ["lh.sphere", "rh.sphere", "rh.sulc", "lh.curv"])
def test_missing_files_are_named(tmp_path, freesurfer, refused, lost):
    freesurfer("sub-1", extra=False)
    path = freesurfer("sub-2", extra=False) / "surf" / lost
    path.unlink()
    refused(InputFileError, lambda: cortical_subjects(tmp_path, features=FEATURES), path, "sub-2")
    items = cortical_subjects(tmp_path, features=FEATURES, strict=False)
    assert [item["subject"] for item in items] == ["sub-1", "sub-1", "sub-2", "sub-2"]
    bad = items[2 + (lost[0] == "r")]
    refused(InputFileError, lambda: read_cortical_subject(bad), path, "sub-2", "does not exist")


def test_missing_gifti_files_are_named(tmp_path, gifti_subject, refused):
    place = gifti_subject("sub-1")
    refused(InputFileError, lambda: cortical_subjects(tmp_path, features=["curv"]), place, "*.L.curv.shape.gii")
    (place / "R.sphere.surf.gii").unlink()
    refused(InputFileError, lambda: cortical_subjects(tmp_path), place, "*.R.sphere.surf.gii")
    assert len(cortical_subjects(tmp_path, ["lh"])) == 1


def test_reconstruction_without_spheres(tmp_path, refused):
    (tmp_path / "sub-1" / "surf").mkdir(parents=True)
    path = tmp_path / "sub-1" / "surf" / "lh.sphere"
    refused(InputFileError, lambda: cortical_subjects(tmp_path), path, "sub-1", "does not exist")


def test_missing_folder_and_folder_without_subjects(tmp_path, refused):
    missing = tmp_path / "missing"
    layouts = ["surf/{lh,rh}.{sphere,sulc,curv,inflated.H}", "*.{L,R}.sphere*.surf.gii"]
    refused(InputFileError, lambda: cortical_subjects(missing), missing, *layouts)
    (tmp_path / "file").write_text("x")
    refused(InputFileError, lambda: cortical_subjects(tmp_path / "file"), "a file")
    (tmp_path / "empty" / "sub-1").mkdir(parents=True)
    refused(InputFileError, lambda: cortical_subjects(tmp_path / "empty"), "1 sub-folders", *layouts)


@pytest.mark.parametrize("wrong", [{"hemispheres": ("left",)}, {"hemispheres": ()}, {"features": ()}])
def test_impossible_wishes(tmp_path, wrong):
    with pytest.raises(ValueError, match="need features"):
        cortical_subjects(tmp_path, **wrong)


def test_hemisphere_is_read_whole(freesurfer, ball, volume_info):
    _, item = cortical_subjects(freesurfer(), features=("curv", "sulc"))
    found = read_cortical_subject(item)
    assert (found.subject, found.hemisphere, found.label_names) == ("sub-1", "rh", ("a", "b"))
    torch.testing.assert_close(found.sphere.vertices, ball.vertices / 100, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.sphere.vertices.norm(dim=1), torch.ones(162, dtype=torch.float64))
    assert torch.equal(found.sphere.faces, ball.faces)
    assert found.sphere_report.radius == pytest.approx(100)
    assert (found.values.shape, found.values.dtype) == ((2, 162), torch.float64)
    np.testing.assert_allclose(found.values[0], -2 * ball.vertices[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found.values[1], -ball.vertices[:, 0], rtol=1e-6)
    assert (found.labels.dtype, found.labels.tolist()) == (torch.int64, [-1, 0, 1] * 54)
    np.testing.assert_allclose(found.inflated.vertices, ball.vertices * LONG, rtol=1e-6)
    np.testing.assert_allclose(found.white.vertices, ball.vertices / 2, rtol=1e-6)
    assert found.volume_info["filename"] == volume_info["filename"]


def test_what_is_optional_may_be_absent(freesurfer):
    found = read_cortical_subject(cortical_subjects(freesurfer(extra=False))[0])
    assert (found.labels, found.inflated, found.white, found.label_names) == (None, None, None, ())


def swap(first, second):
    os.rename(first, f"{first}.x")
    os.rename(second, first)
    os.rename(f"{first}.x", second)


def rewrite(name, change):
    """Write one surface of the left hemisphere anew."""

    def damage(place, ball):
        vertices, faces = change(ball)
        write_surface_geometry(place / "surf" / f"lh.{name}", vertices, faces)

    return damage


def other_size(ball):
    small = icosphere(1)
    return 100 * small.vertices, small.faces


DAMAGE = {
    "sphere is the inflated surface": (
        lambda place, ball: swap(place / "surf" / "lh.sphere", place / "surf" / "lh.inflated"),
        GeometryError,
        ("lh.sphere", "radius spread"),
    ),
    "sphere of another size": (rewrite("sphere", other_size), GeometryError, ("lh.sphere", "lh.inflated", "42", "162")),
    "white of another size": (rewrite("white", other_size), GeometryError, ("lh.sphere", "lh.white", "42", "162")),
    "sphere off center": (
        rewrite("sphere", lambda b: (b.vertices + 30, b.faces)),
        GeometryError,
        ("lh.sphere", "off center"),
    ),
    "sphere mirrored": (
        rewrite("sphere", lambda b: (b.vertices * torch.tensor([-1, 1, 1]), b.faces)),
        GeometryError,
        ("lh.sphere", "hemisphere"),
    ),
    "sphere open": (rewrite("sphere", lambda b: (b.vertices, b.faces[1:])), GeometryError, ("lh.sphere", "Euler")),
    "white open": (rewrite("white", lambda b: (b.vertices, b.faces[1:])), GeometryError, ("lh.white", "Euler")),
    "inflated flipped": (
        rewrite("inflated", lambda b: (b.vertices, b.faces.flip(1))),
        GeometryError,
        ("lh.inflated", "inside out"),
    ),
    "values of another size": (
        lambda place, ball: write_morph(place / "surf" / "lh.sulc", np.ones(42)),
        InputFileError,
        ("lh.sulc", "42 values", "162 values"),
    ),
    "surface as values": (
        lambda place, ball: swap(place / "surf" / "lh.sulc", place / "surf" / "lh.white"),
        InputFileError,
        ("lh.white", "values (curv)"),
    ),
    "labels of another size": (
        lambda place, ball: nibabel_freesurfer.write_annot(
            place / "label" / "lh.aparc.annot", np.zeros(42, int), COLORS, ["a", "b"]
        ),
        InputFileError,
        ("lh.aparc.annot", "42", "162"),
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_files_that_do_not_belong_together(freesurfer, ball, refused, name):
    damage, kind, words = DAMAGE[name]
    place = freesurfer()
    damage(place, ball)
    left, right = cortical_subjects(place)
    refused(kind, lambda: read_cortical_subject(left), place, "sub-1", *words)
    assert read_cortical_subject(right).hemisphere == "rh"


@pytest.mark.parametrize("key", ["sphere", "white", "inflated", "annot", "sulc"])
def test_left_files_with_right_ones(freesurfer, refused, key):
    left, right = cortical_subjects(freesurfer())
    mixed = left | ({"features": right["features"]} if key == "sulc" else {key: right[key]})
    path = right["features"]["sulc"] if key == "sulc" else right[key]
    refused(GeometryError, lambda: read_cortical_subject(mixed), path, "sub-1", "hemisphere")


@pytest.mark.parametrize("key", ["sphere", "sulc"])
def test_gifti_files_of_the_other_hemisphere_by_their_content(gifti_subject, refused, key):
    place = gifti_subject()
    kind = {"sphere": "surf", "sulc": "shape"}[key]
    swap(place / f"L.{key}.{kind}.gii", place / f"R.{key}.{kind}.gii")
    item = cortical_subjects(place)[0]
    refused(GeometryError, lambda: read_cortical_subject(item), place / f"L.{key}.{kind}.gii", "hemisphere")


def test_absent_annexed_content_is_still_listed(freesurfer, refused):
    place = freesurfer(extra=False)
    path = place / "surf" / "lh.inflated"
    path.symlink_to("../.git/annex/objects/x")
    item = cortical_subjects(place)[0]
    refused(InputFileError, lambda: read_cortical_subject(item), path, "datalad get")
