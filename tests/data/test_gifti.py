import logging

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_cortex.data.gifti import read_gifti_labels, read_gifti_surface, read_gifti_values
from monai_cortex.data.surface_checks import check_sphere
from monai_cortex.errors import CortexError, GeometryError, InputFileError

ENCODINGS = ("ASCII", "Base64Binary", "GZipBase64Binary")


@pytest.fixture
def points(ball):
    return ball.vertices.numpy().astype("<f4")


@pytest.fixture
def triangles(ball):
    return ball.faces.numpy().astype("<i4")


def transform(matrix, space="NIFTI_XFORM_UNKNOWN"):
    text = matrix if isinstance(matrix, str) else " ".join(map(str, np.ravel(matrix)))
    spaces = f"<DataSpace>{space}</DataSpace><TransformedSpace>NIFTI_XFORM_TALAIRACH</TransformedSpace>"
    element = "CoordinateSystemTransformMatrix"
    return f"<{element}>{spaces}<MatrixData><![CDATA[{text}]]></MatrixData></{element}>"


def metadata(**words):
    pairs = "".join(f"<MD><Name><![CDATA[{name}]]></Name><Value>{text}</Value></MD>" for name, text in words.items())
    return f"<MetaData>{pairs}</MetaData>"


def side(name):
    return metadata(AnatomicalStructurePrimary=name)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", ["lh.sphere.surf.gii", "lh.sphere.surf.gii.gz", "a b.gii"])
def test_surface_reads_the_same_in_every_form(gifti, gifti_array, points, triangles, encoding, turned, name):
    arrays = [gifti_array(points, "POINTSET", encoding), gifti_array(triangles, "TRIANGLE", encoding)]
    found = read_gifti_surface(gifti(name, *(arrays[::-1] if turned else arrays)), "sub-1")
    np.testing.assert_array_equal(found.mesh.vertices, points)
    np.testing.assert_array_equal(found.mesh.faces, triangles)
    assert (found.mesh.vertices.dtype, found.mesh.faces.dtype) == (torch.float64, torch.int64)
    assert (found.hemisphere, found.subject) == ("" if name == "a b.gii" else "lh", "sub-1")
    assert (found.volume_info, found.c_ras.tolist()) == ({}, [0, 0, 0])


def test_declared_byte_and_index_order_are_followed(gifti, gifti_array, ball, points, triangles):
    first = gifti_array(points.astype(">f4"), "POINTSET", Endian="BigEndian")
    faces = np.asfortranarray(triangles).ravel("K").reshape(triangles.shape)
    second = gifti_array(faces, "TRIANGLE", ArrayIndexingOrder="ColumnMajorOrder")
    found = read_gifti_surface(gifti("a.gii", first, second)).mesh
    assert torch.equal(found.vertices, ball.vertices)
    assert torch.equal(found.faces, ball.faces)


def test_what_nibabel_writes_is_read(tmp_path, ball, points, triangles):
    kind, image = nib.gifti.GiftiDataArray, nib.GiftiImage()
    image.add_gifti_data_array(kind(points, "NIFTI_INTENT_POINTSET"))
    image.add_gifti_data_array(kind(triangles, "NIFTI_INTENT_TRIANGLE"))
    nib.save(image, tmp_path / "a.surf.gii")
    found = read_gifti_surface(tmp_path / "a.surf.gii").mesh
    assert torch.equal(found.vertices, ball.vertices)
    assert torch.equal(found.faces, ball.faces)


def test_triangles_in_the_wrong_byte_order(gifti, gifti_array, points, triangles, refused):
    path = gifti("a.gii", gifti_array(points, "POINTSET"), gifti_array(triangles, "TRIANGLE", Endian="BigEndian"))
    refused(GeometryError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1", "index")


@pytest.mark.parametrize("lie", [{"Endian": "BigEndian"}, {"ArrayIndexingOrder": "ColumnMajorOrder"}])
@pytest.mark.parametrize("wrong", [0, 1])
def test_wrong_byte_or_index_order_is_no_sphere(gifti, gifti_array, points, triangles, refused, lie, wrong):
    arrays = gifti_array(points, "POINTSET", **lie), gifti_array(triangles, "TRIANGLE")
    if wrong:
        arrays = gifti_array(points, "POINTSET"), gifti_array(triangles, "TRIANGLE", **lie)
    path = gifti("a.gii", *arrays)
    refused(GeometryError, lambda: check_sphere(read_gifti_surface(path)), path)


@pytest.mark.parametrize("matrix", [np.diag([1, 1, 1.1, 1]), np.zeros((4, 4)), np.eye(3), "a b", ""])
@pytest.mark.parametrize("of_points", [True, False])
def test_transform_is_refused(gifti, gifti_array, points, triangles, refused, matrix, of_points):
    inside = transform(np.eye(4)) + transform(matrix)
    first = gifti_array(points, "POINTSET", inside=inside if of_points else "")
    path = gifti("a.gii", first, gifti_array(triangles, "TRIANGLE", inside="" if of_points else inside))
    refused(GeometryError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1", "XForm")


def test_identity_transform_is_accepted(gifti, gifti_array, ball, points, triangles):
    first = gifti_array(points, "POINTSET", inside=transform(np.eye(4)))
    found = read_gifti_surface(gifti("a.gii", first, gifti_array(triangles, "TRIANGLE")))
    assert torch.equal(found.mesh.vertices, ball.vertices)


INCOMPLETE = {
    "no arrays": ((" ",), "no pointset"),
    "triangles only": (("triangles",), "no pointset"),
    "points only": (("points",), "no array of triangles"),
    "two pointsets": (("points", "points", "triangles"), "more than one pointset"),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_incomplete_surfaces(gifti, gifti_array, points, triangles, refused, name):
    kinds, word = INCOMPLETE[name]
    known = {"points": gifti_array(points, "POINTSET"), "triangles": gifti_array(triangles, "TRIANGLE")}
    path = gifti("a.gii", *(known.get(kind, kind) for kind in kinds))
    refused(InputFileError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1", word)


@pytest.mark.parametrize("change", [lambda p, t: (p.ravel(), t), lambda p, t: (p, t[:, :2]), lambda p, t: (p, 1.0 * t)])
def test_arrays_of_another_form(gifti, gifti_array, points, triangles, refused, change):
    first, second = change(points, triangles)
    path = gifti("a.gii", gifti_array(first, "POINTSET"), gifti_array(second, "TRIANGLE"))
    refused(InputFileError, lambda: read_gifti_surface(path), path, "another form")


@pytest.mark.parametrize(("place", "value"), [((5, 1), np.nan), ((5, 0), np.inf)])
def test_coordinates_that_are_not_finite(gifti, gifti_array, points, triangles, refused, place, value):
    points[place] = value
    path = gifti("a.gii", gifti_array(points, "POINTSET"), gifti_array(triangles, "TRIANGLE"))
    refused(GeometryError, lambda: read_gifti_surface(path), path, "vertex 5")


@pytest.mark.parametrize("index", [162, -1])
def test_index_out_of_range(gifti, gifti_array, points, triangles, refused, index):
    triangles[7, 1] = index
    path = gifti("a.gii", gifti_array(points, "POINTSET"), gifti_array(triangles, "TRIANGLE"))
    refused(GeometryError, lambda: read_gifti_surface(path), path, f"face 7: index {index}")


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("lh.sphere.surf.gii", "CortexLeft", "lh"),
        ("sphere.surf.gii", "CortexRight", "rh"),
        ("rh.sphere.surf.gii", "Cortex", "rh"),
        ("sphere.surf.gii", "Cerebellum", ""),
    ],
)
def test_hemisphere_of_a_surface(gifti, gifti_array, points, triangles, name, said, expected):
    arrays = gifti_array(points, "POINTSET", inside=side(said)), gifti_array(triangles, "TRIANGLE")
    assert read_gifti_surface(gifti(name, *arrays)).hemisphere == expected
    arrays = gifti_array(points, "POINTSET"), gifti_array(triangles, "TRIANGLE")
    assert read_gifti_surface(gifti(name, *arrays, inside=side(said))).hemisphere == expected


def test_name_and_content_disagree_on_the_hemisphere(gifti, gifti_array, points, triangles, refused):
    arrays = gifti_array(points, "POINTSET", inside=side("CortexLeft")), gifti_array(triangles, "TRIANGLE")
    path = gifti("sub-1_hemi-R_sphere.surf.gii", *arrays)
    refused(GeometryError, lambda: read_gifti_surface(path), path, "hemisphere", "lh", "rh")


VOLUME = {"VolGeomWidth": 256, "VolGeomHeight": 255, "VolGeomDepth": 254, "VolGeomFname": "orig.mgz"}
VOLUME |= {f"VolGeom{axis}size": 1 for axis in "XYZ"}
VOLUME |= {f"VolGeom{axis}_{end}": number for number, axis in enumerate("XYZC") for end in "RAS"}


@pytest.mark.parametrize(
    ("words", "space", "offset"),
    [
        (VOLUME, "NIFTI_XFORM_UNKNOWN", 3),
        (VOLUME, "NIFTI_XFORM_SCANNER_ANAT", 0),
        ({**VOLUME, "VolGeomC_R": "nan"}, "NIFTI_XFORM_UNKNOWN", 0),
        ({**VOLUME, "VolGeomC_R": "x"}, "NIFTI_XFORM_UNKNOWN", 0),
        ({"VolGeomC_R": 3}, "NIFTI_XFORM_UNKNOWN", 0),
    ],
)
def test_offset_to_scanner_coordinates(gifti, gifti_array, points, triangles, words, space, offset):
    inside = metadata(**words) + transform(np.eye(4), space)
    path = gifti("a.gii", gifti_array(points, "POINTSET", inside=inside), gifti_array(triangles, "TRIANGLE"))
    found = read_gifti_surface(path)
    assert found.c_ras.tolist() == [offset] * 3
    np.testing.assert_array_equal(found.mesh.vertices, points)
    moved = read_gifti_surface(path, scanner=True).mesh.vertices
    np.testing.assert_array_equal(moved, points.astype(np.float64) + offset)
    assert not found.volume_info or found.volume_info["volume"].tolist() == [256, 255, 254]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("column", [False, True])
def test_values_read_back(gifti, gifti_array, encoding, column):
    values = np.random.default_rng(0).normal(size=162).astype("<f4")
    array = gifti_array(values[:, None] if column else values, "SHAPE", encoding)
    found = read_gifti_values(gifti("lh.sulc.shape.gii", array), 162, hemisphere="lh")
    assert (found.dtype, found.shape) == (np.float32, (162,))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ((161,), ("161", "162 values")),
        ((163,), ("163", "162 values")),
        ((162, 162), ("2 data arrays",)),
        (((162, 3),), ("(162, 3)",)),
        ((), ("0 data arrays",)),
    ],
)
def test_values_of_another_number(gifti, gifti_array, refused, arrays, words):
    path = gifti("a.gii", *([gifti_array(np.ones(shape, "<f4"), "SHAPE") for shape in arrays] or [" "]))
    refused(InputFileError, lambda: read_gifti_values(path, 162, "sub-1"), path, "sub-1", *words)


def test_surface_is_no_values_and_no_labels(gifti, refused):
    path = gifti("a.gii")
    refused(InputFileError, lambda: read_gifti_values(path, 162), path, "2 data arrays")
    refused(InputFileError, lambda: read_gifti_labels(path, 162), path, "2 data arrays")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(gifti, gifti_array, refused, value):
    values = np.ones(162, "<f4")
    values[9] = value
    path = gifti("a.gii", gifti_array(values, "SHAPE"))
    refused(InputFileError, lambda: read_gifti_values(path, 162), path, "1 of 162 values", "vertex 9")


COLORS = 'Red="1" Green="0.5" Blue="0" Alpha="1"'
NAMES = {0: "???", 7: "insula", 3: "cuneus"}
TABLE = "".join(f'<Label Key="{key}" {COLORS}>{name}</Label>' for key, name in NAMES.items())


@pytest.mark.parametrize("inside", ["array", "file"])
@pytest.mark.parametrize("read", [read_gifti_values, read_gifti_labels])
def test_values_and_labels_of_the_other_hemisphere(gifti, gifti_array, refused, read, inside):
    array = gifti_array(np.full(162, 3, "<i4"), "LABEL", inside=side("CortexRight") if inside == "array" else "")
    words = side("CortexRight") if inside == "file" else ""
    path = gifti("a.gii", array, inside=f"{words}<LabelTable>{TABLE}</LabelTable>")
    refused(GeometryError, lambda: read(path, 162, "sub-1", hemisphere="lh"), path, "hemisphere", "rh")
    read(path, 162, hemisphere="rh")
    read(path, 162)


def test_no_key_of_the_table(gifti, gifti_array, refused):
    array = gifti_array(np.full(5, 3, "<i4").astype(">i4").view("<i4"), "LABEL")
    path = gifti("a.label.gii", array, inside=f"<LabelTable>{TABLE}</LabelTable>")
    refused(InputFileError, lambda: read_gifti_labels(path, 5), path, "no key", "50331648", "0, 3, 7")


@pytest.mark.parametrize("key", ["x", "9" * 30])
def test_keys_that_are_no_numbers(gifti, gifti_array, refused, key):
    table = f'<LabelTable><Label Key="{key}" {COLORS}>a</Label></LabelTable>'
    path = gifti("a.label.gii", gifti_array(np.zeros(5, "<i4"), "LABEL"), inside=table)
    refused(InputFileError, lambda: read_gifti_labels(path, 5), path)


def test_values_of_a_wrong_byte_order(gifti, gifti_array, refused):
    values = np.random.default_rng(0).normal(0, 1, 162).astype("<f4")
    read_gifti_values(gifti("a.shape.gii", gifti_array(values, "SHAPE")), 162)
    path = gifti("b.shape.gii", gifti_array(values, "SHAPE", Endian="BigEndian"))
    with pytest.raises(CortexError, match="byte order|infinite"):
        read_gifti_values(path, 162)
    path = gifti("c.shape.gii", gifti_array((values * 4).round() / 4, "SHAPE", Endian="BigEndian"))
    refused(GeometryError, lambda: read_gifti_values(path, 162), path, "byte order")


def test_labels_and_their_table(gifti, gifti_array, caplog):
    caplog.set_level(logging.WARNING)
    numbers = np.array([7, 3, 0, 7, 5, -1], "<i4")
    path = gifti("a.label.gii", gifti_array(numbers, "LABEL"), inside=f"<LabelTable>{TABLE}</LabelTable>")
    found = read_gifti_labels(path, 6)
    assert found.names == ("???", "cuneus", "insula")
    assert found.labels.tolist() == [2, 1, -1, 2, -1, -1]
    assert found.labels.dtype == np.int64
    assert found.colors.tolist() == [[255, 128, 0, 0, key] for key in (0, 3, 7)]
    assert "2 vertices have a key" in caplog.text


@pytest.mark.parametrize(
    ("kind", "intent", "table"), [("<i4", "SHAPE", TABLE), ("<f4", "LABEL", TABLE), ("<i4", "LABEL", "")]
)
def test_what_is_no_labels(gifti, gifti_array, refused, kind, intent, table):
    path = gifti("a.gii", gifti_array(np.ones(6, kind), intent), inside=f"<LabelTable>{table}</LabelTable>")
    refused(InputFileError, lambda: read_gifti_labels(path, 6), path, "not a GIFTI file of labels")
