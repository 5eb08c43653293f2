"""Surfaces and values at their vertices: every condition, as FreeSurfer's files and as GIFTI."""

import gzip
import os
import struct

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data import (
    check_dataset,
    cortical_subjects,
    read_annotation,
    read_cortical_subject,
    read_morph,
    read_surface_geometry,
    read_synthesis_subject,
    synthesis_subjects,
    write_mgh,
    write_surface_geometry,
)
from monai_cortex.errors import CortexError, GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.shape_model import ShapeModel
from monai_cortex.geometry.signed_distance import signed_distance

BALL = icosphere(3)
POINTS, FACES = BALL.vertices.numpy(), BALL.faces.numpy()
COUNT = len(POINTS)
MIDDLE = np.array([-45.0, 3, -8])
FORMS = ("freesurfer", "gifti")


def save_gifti(path, *arrays, structure="CortexLeft"):
    kinds = {2: "NIFTI_INTENT_TRIANGLE", 1: "NIFTI_INTENT_SHAPE"}
    data = []
    for array in arrays:
        floats = array.dtype.kind == "f"
        intent = "NIFTI_INTENT_POINTSET" if floats and array.ndim == 2 else kinds[array.ndim]
        data.append(
            nib.gifti.GiftiDataArray(
                array.astype("f4" if floats else "i4"), intent, "NIFTI_TYPE_FLOAT32" if floats else "NIFTI_TYPE_INT32"
            )
        )
    meta = nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    nib.save(nib.gifti.GiftiImage(darrays=data, meta=meta), path)


def write(place, form, surfaces=None, sulc=None, side="lh"):
    """Write one hemisphere; `surfaces` replaces (vertices, faces) by name."""
    meshes = {
        "sphere": (100 * POINTS, FACES),
        "white": (30 * POINTS + MIDDLE, FACES),
        "pial": (33 * POINTS + MIDDLE, FACES),
    }
    meshes |= surfaces or {}
    values = POINTS[:, 0] if sulc is None else sulc
    if form == "freesurfer":
        for name, (points, faces) in meshes.items():
            nib.freesurfer.write_geometry(_made(place / "surf" / f"{side}.{name}"), points, faces, "a stamp")
        write_values(place / "surf" / f"{side}.sulc", values)
    else:
        letter = side[0].upper()
        for name, (points, faces) in meshes.items():
            save_gifti(_made(place / f"a.{letter}.{name}.surf.gii"), points, faces)
        save_gifti(place / f"a.{letter}.sulc.shape.gii", np.asarray(values, "f4"))
    return place


def write_values(path, values):
    head = b"\xff\xff\xff" + np.array([len(values), 0, 1], ">i4").tobytes()
    path.write_bytes(head + np.asarray(values, ">f4").tobytes())


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def read_sphere(place):
    (item,) = cortical_subjects(place, ("lh",))
    return read_cortical_subject({key: value for key, value in item.items() if key != "white"})


def read_cortex(place):
    (item,) = synthesis_subjects(place)
    return read_synthesis_subject(item)


READ = {"sphere": read_sphere, "white": read_cortex, "pial": read_cortex}


def without_face(points, faces):
    return points, faces[1:]


def index(value):
    def change(points, faces):
        faces = faces.copy()
        faces[7, 1] = value
        return points, faces

    return change


def coordinate(value):
    def change(points, faces):
        points = points.copy()
        points[9, 2] = value
        return points, faces

    return change


def some_flipped(points, faces):
    faces = faces.copy()
    faces[::40] = faces[::40, ::-1]
    return points, faces


def bow_tie(points, faces):
    return points, np.where(faces == faces[0, 0], faces[700, 0], faces)


def two_pieces(points, faces):
    return np.concatenate([points, points]), np.concatenate([faces, faces + len(points)])


def scrambled(points, faces):
    return points.reshape(-1).reshape(points.shape, order="F"), faces


MESHES = {
    "fewer faces than the surface needs": (lambda p, f: (p, f[:-40]), "Euler characteristic", "open edges"),
    "open mesh": (without_face, "3 open edges", "2, 0 open edges"),
    "face index out of range": (index(COUNT), f"face 7: index {COUNT}"),
    "face index far out of range": (index(1 << 30), "face 7: index"),
    "negative face index": (index(-1), "face 7: index -1"),
    "NaN coordinate": (coordinate(np.nan), "vertex 9"),
    "infinite coordinate": (coordinate(-np.inf), "vertex 9"),
    "all faces flipped": (lambda p, f: (p, f[:, ::-1]), "inside out"),
    "some faces flipped": (some_flipped, "inconsistent winding"),
    "unreferenced vertex": (lambda p, f: (np.r_[p, p[:1] + 1], f), "without a face"),
    "degenerate face": (lambda p, f: (p, np.r_[f, [[3, 3, 5]]]), "degenerate"),
    "non-manifold edges": (lambda p, f: (p, np.r_[f, f[:2]]), "non-manifold"),
    "two vertices made one": (bow_tie, ""),
    "two pieces": (two_pieces, "2 pieces"),
    "vertices in another order": (scrambled, ""),
    "mirrored": (lambda p, f: (p * [-1, 1, 1] + [2 * p.mean(0)[0], 0, 0], f), "mirrored"),
    "absurd coordinates": (lambda p, f: (p * 1e9, f), "absurd"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["sphere", "white", "pial"])
@pytest.mark.parametrize("condition", MESHES)
def test_meshes_that_cannot_be(refused, tmp_path, condition, name, form):
    change, *words = MESHES[condition]
    points, faces = (100 * POINTS, FACES) if name == "sphere" else (31 * POINTS + MIDDLE, FACES)
    with np.errstate(all="ignore"):
        write(tmp_path / "sub-1", form, {name: change(points, faces)})
    refused(GeometryError, lambda: READ[name](tmp_path / "sub-1"), name, "sub-1", *words)


def folded(points, faces):
    points = points.copy()
    points[:60] = np.roll(points[:60], 1, 0)
    return points, faces


SPHERES = {
    "off center": (lambda p, f: (p + [8, 0, 0], f), "off center", "center offset"),
    "off center by little": (lambda p, f: (p + [0, 0.5, 0], f), "off center", "center offset"),
    "inflated surface": (lambda p, f: (p * [0.6, 1, 0.8], f), "not a sphere", "radius spread"),
    "folded": (folded, "folded", "triangles of negative area"),
    "a point": (lambda p, f: (p * 0, f), ""),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("condition", SPHERES)
def test_spheres_that_are_none(refused, tmp_path, condition, form):
    change, *words = SPHERES[condition]
    write(tmp_path / "sub-1", form, {"sphere": change(100 * POINTS, FACES)})
    refused(GeometryError, lambda: read_sphere(tmp_path / "sub-1"), "sphere", "sub-1", *words)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("radius", [1, 50, 1000])
def test_sphere_of_another_radius_is_accepted_and_recorded(tmp_path, radius, form):
    found = read_sphere(write(tmp_path / "sub-1", form, {"sphere": (radius * POINTS, FACES)}))
    assert found.sphere_report.radius == pytest.approx(radius, rel=1e-5)
    torch.testing.assert_close(found.sphere.vertices.norm(dim=1), torch.ones(COUNT, dtype=torch.float64))


@pytest.mark.parametrize("form", FORMS)
def test_duplicate_vertices_are_kept_and_logged(tmp_path, form, caplog):
    points = 30 * POINTS + MIDDLE
    points[5] = points[FACES[FACES[:, 0] == 5][0, 1]]
    found = read_cortex(write(tmp_path / "sub-1", form, {"white": (points, FACES)}))
    assert len(found.white["lh"].vertices) == COUNT
    assert "1 vertices lie exactly on another" in caplog.text


@pytest.mark.parametrize("form", FORMS)
def test_surfaces_of_different_sizes(refused, tmp_path, form):
    other = icosphere(2)
    place = write(tmp_path / "sub-1", form, {"white": (30 * other.vertices.numpy() + MIDDLE, other.faces.numpy())})
    (item,) = cortical_subjects(place, ("lh",))
    refused(GeometryError, lambda: read_cortical_subject(item), item["sphere"], item["white"], "162", "642")


def test_unit_of_length_other_than_mm(refused, tmp_path):
    place = write(tmp_path / "sub-1", "gifti", {"white": (0.03 * POINTS + MIDDLE / 1000, FACES)})
    refused(GeometryError, lambda: read_cortex(place), "white", "sub-1", "not mm")


def test_left_for_right(refused, tmp_path):
    """By the name, by the content of GIFTI, by the side of the brain, and by mirroring (above)."""
    place = write(tmp_path / "sub-1", "freesurfer")
    (place / "surf" / "lh.sphere").rename(place / "surf" / "rh.sphere")
    (item,) = cortical_subjects(place, ("lh",), strict=False)
    wrong = item | {"sphere": str(place / "surf" / "rh.sphere")}
    refused(GeometryError, lambda: read_cortical_subject(wrong), "rh.sphere", "other hemisphere")
    place = tmp_path / "sub-2"
    save_gifti(_made(place / "a.L.sphere.surf.gii"), 100 * POINTS, FACES, structure="CortexRight")
    save_gifti(place / "a.L.sulc.shape.gii", POINTS[:, 0])
    refused(GeometryError, lambda: read_sphere(place), "a.L.sphere.surf.gii", "other hemisphere", "rh")
    place = write(tmp_path / "sub-3", "gifti")
    save_gifti(place / "a.L.sulc.shape.gii", POINTS[:, 0], structure="CortexRight")
    refused(GeometryError, lambda: read_sphere(place), "a.L.sulc.shape.gii", "other hemisphere")
    place = write(tmp_path / "sub-4", "freesurfer", {"white": (30 * POINTS - MIDDLE, FACES)})
    refused(GeometryError, lambda: read_cortex(place), "lh.white", "other side of the brain")


def test_signed_distance_is_negative_inside(tmp_path):
    mesh = read_cortex(write(tmp_path / "sub-1", "freesurfer")).white["lh"]
    affine = np.eye(4)
    affine[:3, 3] = MIDDLE - 35
    distance = signed_distance(mesh, (71, 71, 71), torch.from_numpy(affine))
    assert float(distance[35, 35, 35]) < -25
    assert float(distance[0, 0, 0]) > 25


def test_scanner_offset_is_applied(tmp_path):
    """A surface in tkrRAS of a volume whose center is elsewhere: zero level within half a voxel of the mask's edge."""
    c_ras = np.array([5.5, -17.25, 30.0])
    info = {"head": [2, 0, 20], "valid": "1  # volume info valid", "filename": "T1.mgz", "volume": [96, 96, 96]}
    info |= {"voxelsize": [1.0] * 3, "xras": [-1.0, 0, 0], "yras": [0.0, 0, -1], "zras": [0.0, 1, 0], "cras": c_ras}
    info = {key: np.array(value) if isinstance(value, list) else value for key, value in info.items()}
    inside = [-20.0, 0, 0]
    for kind, radius in (("white", 15), ("pial", 17)):
        path = tmp_path / "sub-1" / "surf" / f"lh.{kind}"
        write_surface_geometry(path, radius * POINTS + inside, FACES, info)
    affine = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    affine[:3, 3] = c_ras - affine[:3, :3] @ [48, 48, 48]
    grid = np.stack(np.meshgrid(*[np.arange(96.0)] * 3, indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]
    mask = np.linalg.norm(grid - c_ras - inside, axis=-1) < 15
    write_mgh(tmp_path / "sub-1" / "mri" / "T1.mgz", mask.astype(np.float32), affine)
    found = read_cortex(tmp_path / "sub-1")
    distance = signed_distance(found.white["lh"], mask.shape, torch.from_numpy(found.image.affine)).numpy()
    wrong = (distance < 0) != mask
    assert np.abs(distance[wrong]).max(initial=0) < 0.5


def counts(points, faces):
    def change(content):
        start = content.index(b"\n\n") + 2
        return content[:start] + struct.pack(">ii", points, faces) + content[start + 8 :]

    return change


FILES = {
    "truncated in its faces": (lambda c: c[:-2000], "truncated"),
    "truncated in its vertices": (lambda c: c[:3000], "truncated"),
    "truncated in its stamp": (lambda c: c[:8], "truncated"),
    "empty": (lambda c: b"", "empty"),
    "wrong magic": (lambda c: b"\xff\xff\xfd" + c[3:], "magic"),
    "compressed": (gzip.compress, "magic"),
    "web page": (lambda c: b"<html></html>", "web page"),
    "pointer of Git LFS": (lambda c: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "absurd number of vertices": (counts(2_000_000_000, 1280), "header does not fit"),
    "absurd number of faces": (counts(642, 2_000_000_000), "header does not fit"),
    "negative number of vertices": (counts(-5, 1280), "header does not fit"),
    "no faces": (counts(642, 0), "header does not fit"),
}


@pytest.mark.parametrize("condition", FILES)
def test_surface_files_that_cannot_be_read(refused, tmp_path, condition):
    change, word = FILES[condition]
    path = write(tmp_path / "sub-1", "freesurfer") / "surf" / "lh.sphere"
    path.write_bytes(change(path.read_bytes()))
    refused(InputFileError, lambda: read_surface_geometry(path, "sub-1"), path, "sub-1", word)


@pytest.mark.parametrize("number", [(641, 1280), (642, 1279), (643, 1280), (642, 1281)])
def test_counts_that_nearly_fit(tmp_path, number):
    path = write(tmp_path / "sub-1", "freesurfer") / "surf" / "lh.sphere"
    path.write_bytes(counts(*number)(path.read_bytes()))
    with pytest.raises((GeometryError, InputFileError), match="lh.sphere"):
        read_sphere(tmp_path / "sub-1")


SPECIAL = {
    "folder": lambda path: path.mkdir(),
    "named pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "looping link": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("name", ["sphere", "sulc", "white"])
@pytest.mark.parametrize("condition", SPECIAL)
def test_no_regular_file(refused, tmp_path, condition, name):
    place = write(tmp_path / "sub-1", "freesurfer")
    (place / "surf" / f"lh.{name}").unlink()
    SPECIAL[condition](place / "surf" / f"lh.{name}")
    (item,) = cortical_subjects(place, ("lh",), strict=False)
    refused(InputFileError, lambda: read_cortical_subject(item), f"lh.{name}", "sub-1", "not a regular file")


CURVES = {
    "truncated": (lambda c: c[:-400], "values"),
    "truncated in its header": (lambda c: c[:9], "not a curv file"),
    "one value too long": (lambda c: c + bytes(4), "643 values"),
    "one byte too long": (lambda c: c + b"\0", "values"),
    "claims more than there is": (lambda c: c[:3] + struct.pack(">i", 2_000_000_000) + c[7:], "2,000,000,000"),
    "of a larger surface": (lambda c: c[:3] + struct.pack(">i", 643) + c[7:] + bytes(4), "643 values"),
    "negative count": (lambda c: c[:3] + struct.pack(">i", -1) + c[7:], "not a curv file"),
    "several values at a vertex": (lambda c: c[:11] + struct.pack(">i", 3) + c[15:], "not a curv file"),
    "empty": (lambda c: b"", "empty"),
    "text": (lambda c: b"1 0.5 0.25\n" * 60, "not a curv file"),
    "NaN": (lambda c: c[:-4] + struct.pack(">f", np.nan), "vertex 641"),
    "infinite": (lambda c: c[:-4] + struct.pack(">f", np.inf), "vertex 641"),
}


@pytest.mark.parametrize("condition", CURVES)
def test_values_that_cannot_be(refused, tmp_path, condition):
    change, word = CURVES[condition]
    path = write(tmp_path / "sub-1", "freesurfer") / "surf" / "lh.sulc"
    path.write_bytes(change(path.read_bytes()))
    refused(InputFileError, lambda: read_sphere(tmp_path / "sub-1"), path, "sub-1", word)


@pytest.mark.parametrize("other", ["lh.sphere", "lh.white"])
def test_other_files_given_as_values(refused, tmp_path, other):
    place = write(tmp_path / "sub-1", "freesurfer") / "surf"
    refused(InputFileError, lambda: read_morph(place / other, COUNT, "sub-1"), place / other, "not a curv file")


@pytest.mark.parametrize("values", [np.zeros(641), np.zeros(643), [np.nan] * 642, [np.inf] * 642], ids=str)
def test_gifti_values_that_cannot_be(refused, tmp_path, values):
    place = write(tmp_path / "sub-1", "gifti", sulc=np.asarray(values))
    refused(InputFileError, lambda: read_sphere(place), "a.L.sulc.shape.gii", "sub-1")


ANNOTATIONS = {
    "truncated": (lambda c: c[:-30], "truncated"),
    "truncated in its labels": (lambda c: c[:2000], "truncated"),
    "without its table": (lambda c: c[: 4 + 8 * COUNT], "no color table"),
    "of another surface": (lambda c: struct.pack(">i", 643) + c[4:], "643"),
    "absurd number of labels": (lambda c: struct.pack(">i", 2_000_000_000) + c[4:], "2,000,000,000"),
    "absurd number of regions": (
        lambda c: c.replace(struct.pack(">iii", 1, -2, 2), struct.pack(">iii", 1, -2, 1 << 30)),
        "table",
    ),
    "numbers that the table lacks": (
        lambda c: c[:4] + b"".join(struct.pack(">ii", n, 77) for n in range(COUNT)) + c[4 + 8 * COUNT :],
        "color table",
    ),
    "a vertex labeled twice": (lambda c: c[:4] + struct.pack(">i", 5) + c[8:], "once"),
    "web page": (lambda c: b"<html></html>", "web page"),
}


@pytest.mark.parametrize("condition", ANNOTATIONS)
def test_annotations_that_cannot_be(refused, tmp_path, condition):
    change, word = ANNOTATIONS[condition]
    path = tmp_path / "lh.aparc.annot"
    nib.freesurfer.write_annot(path, np.arange(COUNT) % 2, np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]), ["a", "b"])
    path.write_bytes(change(path.read_bytes()))
    refused(InputFileError, lambda: read_annotation(path, COUNT, "sub-1"), path, "sub-1", word)


def test_no_flipped_byte_of_a_surface_raises_anything_else(tmp_path, rounds):
    """These formats have no checksum: a flip may pass, but never raise what is no message, nor allocate by a claim."""
    path, rng = write(tmp_path / "sub-1", "freesurfer") / "surf" / "lh.sphere", np.random.default_rng(0)
    content = path.read_bytes()
    for number in range(rounds(40, 400)):
        # Half of the flips in the header, where counts are.
        place = int(rng.integers(60 if number % 2 else len(content)))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :])
        try:
            read_sphere(tmp_path / "sub-1")
        except CortexError as error:
            assert "lh.sphere" in str(error)  # noqa: PT017


@pytest.fixture
def shapes(tmp_path):
    """File of a shape model, and the model."""
    model = ShapeModel.fit(torch.randn(5, 42, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    model.save(tmp_path / "shapes.npz")
    return tmp_path / "shapes.npz", model


def test_no_flipped_bit_changes_a_shape_model(shapes, rounds):
    path, truth = shapes
    content, rng, refusals = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(rounds(25, 200)):
        place, bit = rng.integers(len(content)), 1 << int(rng.integers(8))
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            found = ShapeModel.load(path)
        except CortexError as error:
            refusals += 1
            assert str(path) in str(error)  # noqa: PT017
        else:
            for name in ("mean", "scale", "directions", "deviations"):
                assert getattr(found, name).numpy().tobytes() == getattr(truth, name).numpy().tobytes()
    assert refusals > 0.7 * rounds(25, 200)


def test_shape_model_that_expands_or_is_none(refused, shapes):
    path, _ = shapes
    with np.load(path) as content:
        np.savez_compressed(path, **dict(content))
    refused(InputFileError, lambda: ShapeModel.load(path), path, "compressed")
    for content in (b"", b"<html></html>", path.read_bytes()[:300]):
        path.write_bytes(content)
        refused(InputFileError, lambda: ShapeModel.load(path), path)
    path.unlink()
    refused(InputFileError, lambda: ShapeModel.load(path), path)


def test_a_bad_surface_costs_no_other_subject(tmp_path):
    (tmp_path / "good").mkdir()
    for side in ("lh", "rh"):
        write(
            tmp_path / "good",
            "freesurfer",
            {"white": (30 * POINTS + MIDDLE * ([1, 1, 1] if side == "lh" else [-1, 1, 1]), FACES)},
            side=side,
        )
    source = (tmp_path / "good" / "surf").iterdir()
    content = {path.name: path.read_bytes() for path in source}
    for number, (change, _) in enumerate(FILES.values()):
        place = tmp_path / f"bad-{number}" / "surf"
        place.mkdir(parents=True)
        for name, data in content.items():
            (place / name).write_bytes(change(data) if name == "lh.sphere" else data)
    count, errors = check_dataset("spherical_diffusion_registration", tmp_path)
    assert count == len(FILES) + 1
    assert sorted(error.args[2] for error in errors) == sorted(f"bad-{number}" for number in range(len(FILES)))
    assert all(len(str(error).splitlines()) <= 5 for error in errors)
