import logging

import nibabel as nib
import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import pytest
import torch

from monai_cortex.data.dataset_check import check_dataset
from monai_cortex.data.freesurfer import write_surface_geometry
from monai_cortex.data.mgh_writer import write_mgh
from monai_cortex.data.synthesis_subjects import read_synthesis_subject, synthesis_subjects
from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere

CENTER = np.array([5.5, -17.25, 30.0])
BALL = icosphere(2)
SIDES = {"lh": -25.0, "rh": 25.0}
RADII = {"white": 17.0, "pial": 20.0}
VOLUME = {"VolGeomWidth": 64, "VolGeomHeight": 64, "VolGeomDepth": 64, "VolGeomFname": "orig.mgz"}
VOLUME |= {f"VolGeom{axis}size": 2 for axis in "XYZ"}
VOLUME |= {f"VolGeom{a}_{end}": float(a == b) for a, b in zip("XYZ", "XYZ", strict=True) for end in "RAS"}
VOLUME |= {f"VolGeomC_{end}": number for end, number in zip("RAS", CENTER, strict=True)}


def surface(side, kind):
    """A ball beside the midline, in the axes of a surface file (tkrRAS)."""
    points = RADII[kind] * BALL.vertices + torch.tensor([SIDES[side], 0, 0])
    return points.float().double()


def grid(center=CENTER, size=64):
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = np.asarray(center) - size
    return affine


def write_image(path, center=CENTER, size=64):
    values = np.zeros((size,) * 3, np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith("mgz"):
        write_mgh(path, values, grid(center, size))
    else:
        nib.save(nib.Nifti1Image(values, grid(center, size)), path)


@pytest.fixture
def native(tmp_path, volume_info):
    """Write one subject as FreeSurfer does; returns its folder."""

    def write(name="sub-1", sides=("lh", "rh"), image="mri/T1.mgz", info=True, center=CENTER):
        place = tmp_path / name
        for side in sides:
            for kind in RADII:
                known = volume_info | {"cras": CENTER} if info else None
                write_surface_geometry(place / "surf" / f"{side}.{kind}", surface(side, kind), BALL.faces, known)
        if image:
            write_image(place / image, center)
        return place

    return write


@pytest.fixture
def workbench(tmp_path, gifti, gifti_array):
    """Write one subject in GIFTI, each surface with FreeSurfer's center in its metadata."""

    def write(name="sub-1", pattern="{0}.{1}.surf.gii", space="UNKNOWN", moved=False, sides=("lh", "rh")):
        words = "".join(f"<MD><Name>{key}</Name><Value>{text}</Value></MD>" for key, text in VOLUME.items())
        unit = " ".join(map(str, np.eye(4).ravel()))
        link = f"<DataSpace>NIFTI_XFORM_{space}</DataSpace><TransformedSpace>NIFTI_XFORM_TALAIRACH</TransformedSpace>"
        link += f"<MatrixData>{unit}</MatrixData>"
        tag = "CoordinateSystemTransformMatrix"
        for side in sides:
            for kind in RADII:
                points = (surface(side, kind).numpy() + (CENTER if moved else 0)).astype("<f4")
                inside = f"<MetaData>{words}</MetaData><{tag}>{link}</{tag}>"
                arrays = gifti_array(points, "POINTSET", inside=inside), gifti_array(BALL.faces.numpy(), "TRIANGLE")
                gifti(f"{name}/{pattern.format(side[0].upper(), kind)}", *arrays)
        return tmp_path / name

    return write


def expect_surfaces(found, sides=("lh", "rh")):
    assert tuple(found.white) == tuple(found.pial) == tuple(sides)
    for kind in RADII:
        for side in sides:
            mesh = getattr(found, kind)[side]
            expected = surface(side, kind) + torch.from_numpy(CENTER)
            torch.testing.assert_close(mesh.vertices, expected, rtol=0, atol=1e-5)
            assert torch.equal(mesh.faces, BALL.faces)


def test_layout_of_freesurfer(tmp_path, native):
    native("sub-2", image="")
    place = native("sub-1")
    (tmp_path / "logs").mkdir()
    first, second = synthesis_subjects(tmp_path)
    paths = {kind: {side: str(place / "surf" / f"{side}.{kind}") for side in SIDES} for kind in RADII}
    assert first == {"subject": "sub-1", **paths, "image": str(place / "mri" / "T1.mgz")}
    assert set(second) == {"subject", "white", "pial"}
    found = read_synthesis_subject(first)
    expect_surfaces(found)
    assert (found.subject, found.labels, found.label_names) == ("sub-1", {}, ())
    np.testing.assert_allclose(found.image.affine, grid(), atol=1e-5)
    assert read_synthesis_subject(second).image is None
    assert check_dataset("cor2vox_synthesis", tmp_path)[1] == []


@pytest.mark.parametrize("pattern", ["{0}.{1}.surf.gii", "anat/sub-1_hemi-{0}_{1}.surf.gii"])
def test_layout_of_gifti(workbench, pattern):
    place = workbench(pattern=pattern)
    write_image(place / "T1w.nii.gz")
    (item,) = synthesis_subjects(place)
    assert item["pial"]["rh"] == str(place / pattern.format("R", "pial"))
    expect_surfaces(read_synthesis_subject(item))


@pytest.mark.parametrize(("space", "moved"), [("UNKNOWN", False), ("TALAIRACH", True), ("SCANNER_ANAT", True)])
def test_offset_is_added_once_whoever_wrote_the_gifti_file(workbench, space, moved):
    place = workbench(space=space, moved=moved)
    expect_surfaces(read_synthesis_subject(synthesis_subjects(place)[0]))


def test_gifti_files_beside_an_empty_surf_folder(workbench):
    place = workbench()
    (place / "surf").mkdir()
    expect_surfaces(read_synthesis_subject(synthesis_subjects(place)[0]))


@pytest.mark.parametrize("side", SIDES)
def test_one_hemisphere_only(native, workbench, side):
    for place in (native("sub-1", [side]), workbench("sub-2", sides=[side])):
        (item,) = synthesis_subjects(place)
        expect_surfaces(read_synthesis_subject(item), [side])


def test_order_of_images(native):
    place = native(image="")
    names = ["anat/b_T1w.nii.gz", "anat/a_T1w.nii.gz", "T1w.nii.gz", "T1.nii.gz", "mri/T1.nii.gz"]
    for name in (*names, "mri/orig.mgz", "mri/T1.mgz"):
        write_image(place / name)
        (item,) = synthesis_subjects(place)
        assert item["image"] == str(place / name)
        np.testing.assert_allclose(read_synthesis_subject(item).image.affine, grid(), atol=1e-5)


def test_image_that_must_be_there(native, refused):
    place = native(image="")
    refused(InputFileError, lambda: synthesis_subjects(place, image=True), place / "mri" / "T1.mgz", "does not exist")
    (item,) = synthesis_subjects(place, image=True, strict=False)
    refused(InputFileError, lambda: read_synthesis_subject(item), place / "mri" / "T1.mgz")


@pytest.mark.parametrize("lost", ["lh.pial", "rh.white"])
def test_missing_files_are_named(tmp_path, native, refused, lost):
    native("sub-1")
    path = native("sub-2") / "surf" / lost
    path.unlink()
    refused(InputFileError, lambda: synthesis_subjects(tmp_path), path, "sub-2", "does not exist")
    (problem,) = check_dataset("cor2vox_synthesis", tmp_path)[1]
    assert str(path) in str(problem)


def test_missing_gifti_pial(workbench, refused):
    place = workbench()
    (place / "L.pial.surf.gii").unlink()
    refused(InputFileError, lambda: synthesis_subjects(place), place / "*.L.pial.surf.gii", "does not exist")


@pytest.mark.parametrize("kinds", [("white",), ("white", "pial")])
def test_two_files_for_one_place_are_one_problem_of_one_subject(tmp_path, workbench, refused, kinds):
    place = workbench("sub-1")
    workbench("sub-2")
    for side in "LR":
        for kind in kinds:
            content = (place / f"{side}.{kind}.surf.gii").read_bytes()
            (place / f"{side}.{kind}.native.surf.gii").write_bytes(content)
    refused(InputFileError, lambda: synthesis_subjects(tmp_path), "sub-1", "several files", "L.white")
    (problem,) = check_dataset("cor2vox_synthesis", tmp_path)[1]
    assert "sub-1" in str(problem)


def rewrite(change):
    def damage(place, info):
        points, faces = change(surface("lh", "white"), BALL.faces)
        write_surface_geometry(place / "surf" / "lh.white", points, faces, info | {"cras": CENTER})

    return damage


DAMAGE = {
    "inside out": (lambda p, f: (p, f.flip(1)), ("inside out", "signed volume -")),
    "mirrored": (lambda p, f: (p * torch.tensor([-1.0, 1, 1]), f), ("inside out",)),
    "other side": (lambda p, f: (p + torch.tensor([50.0, 0, 0]), f), ("other side of the brain", "x = 25.0 mm")),
    "beyond the image": (lambda p, f: (p + torch.tensor([0.0, 90, 0]), f), ("outside the image", "% of its vertices")),
    "some flipped": (lambda p, f: (p, torch.cat([f[:9].flip(1), f[9:]])), ("some faces are flipped",)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_surfaces_that_cannot_be(native, volume_info, refused, name):
    change, words = DAMAGE[name]
    place = native()
    rewrite(change)(place, volume_info)
    (item,) = synthesis_subjects(place)
    path = place / "surf" / "lh.white"
    refused(GeometryError, lambda: read_synthesis_subject(item), path, "sub-1", *words)


def test_other_hemisphere_by_its_name(native, refused):
    (item,) = synthesis_subjects(native())
    wrong = item | {"pial": {"lh": item["pial"]["rh"], "rh": item["pial"]["lh"]}}
    refused(GeometryError, lambda: read_synthesis_subject(wrong), item["pial"]["rh"], "sub-1", "other hemisphere")


def test_origin_unknown_beside_an_image_off_center(native, refused):
    (item,) = synthesis_subjects(native(info=False))
    words = (item["white"]["lh"], "sub-1", "tkrRAS without c_ras", "[5.5, -17.25, 30.0]")
    refused(GeometryError, lambda: read_synthesis_subject(item), *words)
    # Where the image is centered, or where there is none, the origin makes no difference or cannot be checked.
    for place in (native("sub-2", info=False, center=(0, 0, 0)), native("sub-3", info=False, image="")):
        found = read_synthesis_subject(synthesis_subjects(place)[0])
        torch.testing.assert_close(found.white["lh"].vertices, surface("lh", "white"))


def test_open_surfaces_are_refused_unless_asked_for(native, volume_info, refused, caplog):
    place = native()
    rewrite(lambda points, faces: (points, faces[1:]))(place, volume_info)
    (item,) = synthesis_subjects(place)
    words = (item["white"]["lh"], "sub-1", "Euler characteristic 1, 3 open edges", "2, 0 open edges", "open_surfaces")
    refused(GeometryError, lambda: read_synthesis_subject(item), *words)
    with caplog.at_level(logging.WARNING, "monai_cortex"):
        read_synthesis_subject(item, open_surfaces=True)
    assert "lh.white: 3 open edges; the surface is closed over its holes" in caplog.messages


def test_labels(native):
    place = native()
    (place / "label").mkdir()
    colors, labels = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]), np.arange(162) % 3 - 1
    for side in SIDES:
        assert "annot" not in synthesis_subjects(place)[0]
        nibabel_freesurfer.write_annot(place / "label" / f"{side}.aparc.annot", labels, colors, ["a", "b"])
    found = read_synthesis_subject(synthesis_subjects(place)[0])
    assert found.label_names == ("a", "b")
    assert found.labels["rh"].tolist() == labels.tolist()


def test_folders_without_subjects(tmp_path, refused):
    refused(InputFileError, lambda: synthesis_subjects(tmp_path / "none"), "none", "does not exist")
    (tmp_path / "sub-1" / "surf").mkdir(parents=True)
    refused(
        InputFileError,
        lambda: check_dataset("cor2vox_synthesis", tmp_path)[1],
        "1 sub-folders",
        "surf/{lh,rh}.{white,pial}",
    )
