import getpass
import logging
import tracemalloc

import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_cortex.data.freesurfer import read_morph, read_surface_geometry, write_morph, write_surface_geometry
from monai_cortex.data.surface_checks import check_surface
from monai_cortex.errors import CortexError, GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere

# One folder for all examples of a property is what it needs: each example writes its own file anew.
fuzz = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = np.linspace(-3, 3, 162)
HEADER = 3 + len("created by monai_cortex\n\n")


@pytest.fixture
def surface(tmp_path, ball, volume_info):
    """Write the sphere with its volume geometry; the content may be changed before."""

    whole = {}

    def write(edit=lambda content: content, name="lh.sphere", info=volume_info):
        path = tmp_path / name
        if (name, id(info)) not in whole:
            write_surface_geometry(path, ball.vertices, ball.faces, info)
            whole[name, id(info)] = path.read_bytes()
        path.write_bytes(edit(whole[name, id(info)]))
        return path

    return write


@pytest.fixture
def morph(tmp_path):
    path = tmp_path / "lh.sulc"
    whole = {}

    def write(edit=lambda content: content, values=VALUES):
        if id(values) not in whole:
            write_morph(path, values, 320)
            whole[id(values)] = path.read_bytes()
        path.write_bytes(edit(whole[id(values)]))
        return path

    return write


def complaint(call):
    """Text of the error that a call ends with, if any; errors of other kinds come through."""
    try:
        call()
    except CortexError as error:
        return str(error)
    return ""


def patch(position, content):
    return lambda data: data[:position] + content + data[position + len(content) :]


def counts(vertices, faces):
    return patch(HEADER, np.array([vertices, faces], ">i4").tobytes())


def test_surface_reads_back_exactly(surface, ball, volume_info):
    found = read_surface_geometry(surface(), "sub-1")
    assert torch.equal(found.mesh.vertices, ball.vertices)
    assert torch.equal(found.mesh.faces, ball.faces)
    assert (found.mesh.vertices.dtype, found.mesh.faces.dtype) == (torch.float64, torch.int64)
    assert (found.hemisphere, found.subject) == ("lh", "sub-1")
    np.testing.assert_array_equal(found.c_ras, volume_info["cras"])
    assert list(found.volume_info) == list(volume_info)
    for key, value in volume_info.items():
        np.testing.assert_array_equal(found.volume_info[key], value)


def test_nibabel_reads_what_is_written(surface, ball, volume_info):
    vertices, faces, info, stamp = nibabel_freesurfer.read_geometry(surface(), read_metadata=True, read_stamp=True)
    np.testing.assert_array_equal(vertices, ball.vertices)
    np.testing.assert_array_equal(faces, ball.faces)
    assert stamp == "created by monai_cortex"
    assert info["filename"] == volume_info["filename"]
    np.testing.assert_array_equal(info["cras"], volume_info["cras"])


def test_what_nibabel_writes_is_read(tmp_path, ball, volume_info):
    path = tmp_path / "rh.white"
    nibabel_freesurfer.write_geometry(str(path), ball.vertices.numpy(), ball.faces.numpy(), "stamp", volume_info)
    found = read_surface_geometry(path)
    assert torch.equal(found.mesh.vertices, ball.vertices)
    assert found.hemisphere == "rh"
    np.testing.assert_allclose(found.c_ras, volume_info["cras"], rtol=1e-9)


def test_scanner_coordinates(surface, ball, volume_info, caplog):
    found = read_surface_geometry(surface(), scanner=True)
    np.testing.assert_array_equal(found.mesh.vertices, ball.vertices.numpy() + volume_info["cras"])
    np.testing.assert_array_equal(found.c_ras, volume_info["cras"])
    assert not caplog.records
    without = read_surface_geometry(surface(info=None), scanner=True)
    assert torch.equal(without.mesh.vertices, ball.vertices)
    assert (without.volume_info, without.c_ras.tolist()) == ({}, [0, 0, 0])
    assert "no c_ras" in caplog.text


def test_equal_surfaces_are_equal_files(surface, ball, tmp_path, monkeypatch):
    first = surface().read_bytes()
    monkeypatch.setattr(getpass, "getuser", lambda: "someone")
    assert surface(name="other").read_bytes() == first
    assert b"someone" not in first
    write_surface_geometry(tmp_path / "list", ball.vertices.tolist(), ball.faces.int(), {})
    assert (tmp_path / "list").read_bytes() == first[: HEADER + 8 + 12 * (162 + 320)]


END_OF_FACES = HEADER + 8 + 12 * (162 + 320)


@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
def test_surface_cut_anywhere_is_refused(surface, refused, share):
    whole = surface().read_bytes()
    size = int(share * len(whole))
    path = surface(lambda data: data[:size])
    # A surface without volume geometry is whole, so that this one cut cannot be told.
    if size != END_OF_FACES:
        refused(InputFileError, lambda: read_surface_geometry(path, "sub-1"), path, "sub-1")


def test_surface_cut_in_its_volume_geometry_is_refused(surface):
    whole = surface().read_bytes()
    for size in range(END_OF_FACES + 1, len(whole)):
        path = surface(lambda data, size=size: data[:size])
        with pytest.raises(InputFileError, match="volume geometry"):
            read_surface_geometry(path)


@fuzz
@given(position=st.integers(0, END_OF_FACES + 200), value=st.binary(min_size=1, max_size=8))
@pytest.mark.parametrize("read", [read_surface_geometry, lambda path: read_morph(path, 162)])
def test_damage_never_leads_to_another_error(surface, morph, read, position, value):
    for path in (surface(patch(position, value)), morph(patch(position, value))):
        text = complaint(lambda path=path: read(path))
        assert str(path) in text or not text


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [(2**31 - 1, 2**31 - 1), (162, 10**9), (10**8, 320), (-1, 320), (162, -5), (0, 320), (162, 0)],
)
def test_impossible_counts_are_refused_before_anything_is_allocated(surface, refused, vertices, faces):
    path = surface(counts(vertices, faces))
    tracemalloc.start()
    refused(InputFileError, lambda: read_surface_geometry(path, "sub-1"), path, "sub-1", f"{vertices:,} vertices")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("lost", [1, 7])
@pytest.mark.parametrize("info", ["volume_info", None])
def test_too_few_faces_are_a_hole(surface, refused, caplog, request, lost, info):
    path = surface(counts(162, 320 - lost), info=info and request.getfixturevalue(info))
    found = read_surface_geometry(path, "sub-1")
    assert "not understood" in caplog.text
    words = (f"Euler characteristic {2 - lost}, ", "open edges", "0 open edges")
    refused(GeometryError, lambda: check_surface(found), path, "sub-1", *(words if lost == 1 else words[1:]))


def test_content_behind_the_triangles_is_logged(surface, caplog):
    caplog.set_level(logging.WARNING)
    read_surface_geometry(surface(info=None))
    read_surface_geometry(surface(lambda data: data + b"\0\0\0\3" + b"\0" * 7 + b"\1x"))
    assert not caplog.records
    read_surface_geometry(surface(lambda data: data + b"junk of some kind", info=None))
    assert "17 bytes behind the triangles" in caplog.text


@pytest.mark.parametrize("index", [162, -1, 2**31 - 1, -(2**31)])
def test_index_out_of_range(surface, refused, index):
    place = HEADER + 8 + 12 * (162 + 7) + 4
    path = surface(patch(place, np.array([index], ">i4").tobytes()))
    refused(GeometryError, lambda: read_surface_geometry(path), path, f"face 7: index {index}", "0 to 161")


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0xFF800000, 0x7F800001])
def test_coordinates_that_are_not_finite(surface, refused, bits):
    path = surface(patch(HEADER + 8 + 12 * 5, bits.to_bytes(4, "big")))
    refused(GeometryError, lambda: read_surface_geometry(path), path, "1 of 162 vertices", "vertex 5")


FOREIGN = {
    "web page": (b"<!DOCTYPE html><html>", "web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "text": (b"1 2 3\n4 5 6\n", "magic"),
    "two bytes": (b"\xff\xff", "magic"),
    "empty": (b"", "empty"),
    "quadrangles": (b"\xff\xff\xfd\0\0\4\0\0\2" + bytes(100), "quadrangles"),
    "no end of the stamp": (b"\xff\xff\xfe" + b"x" * 9000, "creation stamp"),
    "stamp only": (b"\xff\xff\xfecreated\n\n\0\0", "counts"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_no_surfaces(tmp_path, refused, name):
    content, word = FOREIGN[name]
    (tmp_path / "lh.white").write_bytes(content)
    refused(InputFileError, lambda: read_surface_geometry(tmp_path / "lh.white", "sub-1"), "lh.white", "sub-1", word)


def test_values_are_no_surface(morph, refused):
    path = morph()
    refused(InputFileError, lambda: read_surface_geometry(path), path, "values (curv)")


def test_failed_write_keeps_the_old_file(surface, ball, tmp_path, monkeypatch):
    old = surface().read_bytes()

    def stop(path, *_, **__):
        with open(path, "wb") as stream:
            stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nibabel_freesurfer, "write_geometry", stop)
    monkeypatch.setattr(nibabel_freesurfer, "write_morph_data", lambda stream, *_, **__: stop("/dev/null"))
    with pytest.raises(KeyboardInterrupt):
        write_surface_geometry(tmp_path / "lh.sphere", ball.vertices, ball.faces)
    with pytest.raises(KeyboardInterrupt):
        write_morph(tmp_path / "lh.sphere", np.ones(3))
    assert (tmp_path / "lh.sphere").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["lh.sphere"]


POINTS, FACE = np.eye(3), [[0, 1, 2]]


@pytest.mark.parametrize(
    ("points", "faces", "info", "word"),
    [
        (POINTS[:, :2], FACE, None, "vertices"),
        (POINTS[:0], FACE, None, "vertices"),
        (POINTS * np.nan, FACE, None, "finite"),
        (POINTS * 1e39, FACE, None, "finite"),
        (POINTS, [[0, 1]], None, "faces"),
        (POINTS, np.empty((0, 3), int), None, "faces"),
        (POINTS, [[0.0, 1, 2]], None, "integer"),
        (POINTS, [[0, 1, 3]], None, "0 to 2"),
        (POINTS, [[0, 1, -1]], None, "-1 to 1"),
        (POINTS, FACE, {"valid": "1"}, "volume_info"),
    ],
)
def test_what_no_surface_file_can_hold_is_refused(tmp_path, points, faces, info, word):
    with pytest.raises(ValueError, match=word):
        write_surface_geometry(tmp_path / "lh.white", points, faces, info)
    assert not list(tmp_path.iterdir())


def test_values_read_back(morph, tmp_path):
    values = np.random.default_rng(0).normal(size=162).astype(np.float32)
    found = read_morph(morph(values=values), 162)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(nibabel_freesurfer.read_morph_data(tmp_path / "lh.sulc"), values)
    # A suffix does not make it compressed, and torch tensors are written alike.
    write_morph(tmp_path / "a.gz", torch.from_numpy(values), 320)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "lh.sulc").read_bytes()


def old_format(values):
    return len(values).to_bytes(3, "big") + (320).to_bytes(3, "big") + np.round(values * 100).astype(">i2").tobytes()


def test_old_format_reads_in_hundredths(tmp_path, refused):
    values = np.round(np.linspace(-3, 3, 162), 2)
    path = tmp_path / "lh.curv"
    path.write_bytes(old_format(values))
    np.testing.assert_allclose(read_morph(path, 162), values, rtol=1e-6)
    refused(InputFileError, lambda: read_morph(path, 42), path, "162 values", "42 values")
    path.write_bytes(old_format(values)[:-1])
    refused(InputFileError, lambda: read_morph(path, 162), path, "not a curv file")


@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
def test_values_cut_anywhere_are_refused(morph, refused, share):
    path = morph(lambda data: data[: int(share * len(data))])
    refused(InputFileError, lambda: read_morph(path, 162, "sub-1"), path, "sub-1")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda data: data[:-4], ("161 values", "162 values")),
        (lambda data: data + bytes(4), ("163 values", "162 values")),
        (lambda data: data + b"\0", ("162.25 values", "162 values")),
        (patch(3, (2**31 - 1).to_bytes(4, "big")), ("2,147,483,647 in its header", "162 values")),
        (patch(3, (-1).to_bytes(4, "big", signed=True)), ("not a curv file", "-1 vertices")),
        (patch(11, (2).to_bytes(4, "big")), ("not a curv file", "2 values at each")),
    ],
)
def test_wrong_number_of_values(morph, refused, edit, words):
    path = morph(edit)
    refused(InputFileError, lambda: read_morph(path, 162, "sub-1"), path, "sub-1", *words)


@pytest.mark.parametrize("vertices", [161, 163, 642])
def test_values_of_another_surface(morph, refused, vertices):
    path = morph()
    refused(InputFileError, lambda: read_morph(path, vertices), path, "162 values", f"{vertices} values")


@pytest.mark.parametrize("name", ["text", "two bytes", "quadrangles"])
def test_foreign_files_are_no_values(tmp_path, refused, name):
    path = tmp_path / "lh.curv"
    path.write_bytes(FOREIGN[name][0])
    refused(InputFileError, lambda: read_morph(path, 162), path, "not a curv file")


def test_surfaces_and_annotations_are_no_values(surface, tmp_path, refused):
    path = surface()
    refused(InputFileError, lambda: read_morph(path, 162), path, "not a curv file")
    path = tmp_path / "lh.aparc.annot"
    colors = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]])
    nibabel_freesurfer.write_annot(path, np.zeros(162, int), colors, ["a", "b"])
    refused(InputFileError, lambda: read_morph(path, 162), path, "not a curv file")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(morph, refused, value):
    path = morph(patch(15 + 4 * 9, np.array(value, ">f4").tobytes()))
    refused(InputFileError, lambda: read_morph(path, 162), path, "1 of 162 values", "vertex 9")


@pytest.mark.parametrize(
    ("values", "count"), [(np.ones((3, 1)), 0), ([], 0), ([np.nan], 0), ([1e39], 0), ([1.0], -1), (1.0, 0)]
)
def test_what_no_file_of_values_can_hold_is_refused(tmp_path, values, count):
    with pytest.raises(ValueError, match=r"finite values \(V,\)"):
        write_morph(tmp_path / "lh.sulc", values, count)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("level", [0, 1])
def test_small_spheres_round_trip(tmp_path, level):
    mesh = icosphere(level)
    write_surface_geometry(tmp_path / "sphere", mesh.vertices, mesh.faces)
    found = read_surface_geometry(tmp_path / "sphere")
    assert torch.equal(found.mesh.vertices, mesh.vertices.float().double())
    assert found.hemisphere == ""
