"""GIFTI: every condition of damaged, foreign, contradictory and hostile files."""

import base64
import gzip
import os
import zlib

import numpy as np
import pytest

from monai_cortex.data import check_sphere, check_surface, read_gifti_labels, read_gifti_surface, read_gifti_values
from monai_cortex.errors import CortexError, GeometryError, InputFileError
from monai_cortex.geometry.icosphere import icosphere

BALL = icosphere(2)
POINTS, FACES = (100 * BALL.vertices.numpy()).astype("<f4"), BALL.faces.numpy().astype("<i4")
COUNT = len(POINTS)
ENCODINGS = ("ASCII", "Base64Binary", "GZipBase64Binary")
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
USUAL = '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">\n'


def array(values, intent, encoding="GZipBase64Binary", text=None, inside="", **attributes):
    """XML of a data array, whose attributes may lie."""
    packed = values.tobytes() if encoding == "Base64Binary" else zlib.compress(values.tobytes())
    plain = " ".join(map(repr, values.ravel().tolist()))
    text = (plain if encoding == "ASCII" else base64.b64encode(packed).decode()) if text is None else text
    known = {"Intent": f"NIFTI_INTENT_{intent}", "DataType": f"NIFTI_TYPE_{values.dtype.name.upper()}"}
    known |= {"ArrayIndexingOrder": "RowMajorOrder", "Dimensionality": values.ndim, "Encoding": encoding}
    known |= {f"Dim{axis}": size for axis, size in enumerate(values.shape)}
    known |= {"Endian": "LittleEndian", "ExternalFileName": "", "ExternalFileOffset": "", **attributes}
    words = " ".join(f'{name}="{value}"' for name, value in known.items())
    return f"<DataArray {words}>{inside}<Data>{text}</Data></DataArray>"


def document(*arrays, doctype="", inside=""):
    number = sum("<DataArray" in part for part in arrays)
    return f'{HEAD}{doctype}<GIFTI Version="1.0" NumberOfDataArrays="{number}">{inside}{"".join(arrays)}</GIFTI>\n'


def surface(encoding="GZipBase64Binary", points=None, faces=None, **more):
    point_array = array(POINTS, "POINTSET", encoding, **(points or {}))
    return document(point_array, array(FACES, "TRIANGLE", encoding, **(faces or {})), **more)


def save(path, text):
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["lh.a.surf.gii", "lh.a.surf.gii.gz"])
@pytest.mark.parametrize("turned", [False, True])
def test_arrays_in_either_order_are_read(tmp_path, encoding, name, turned):
    arrays = [array(POINTS, "POINTSET", encoding), array(FACES, "TRIANGLE", encoding)]
    path = save(tmp_path / name, document(*(arrays[::-1] if turned else arrays), doctype=USUAL))
    mesh, _ = check_sphere(read_gifti_surface(path))
    np.testing.assert_allclose(mesh.vertices, BALL.vertices, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, FACES)


def flip_in_payload(text):
    place = text.index("<Data>") + 200
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def cut_payload(text):
    start, end = text.index("<Data>"), text.index("</Data>")
    return text[: start + (end - start) // 8 * 4 + 2] + text[end:]


PACKED = base64.b64encode(zlib.compress(POINTS.tobytes())).decode()
DAMAGE = {
    "truncated in its payload": (surface()[: surface().index("<Data>") + 99], "truncated"),
    "truncated in its XML": (surface()[:90], "truncated"),
    "truncated at its end": (surface()[:-9], "truncated"),
    "truncated compressed payload": (cut_payload(surface()), "damaged"),
    "damaged compressed payload": (flip_in_payload(surface()), "damaged"),
    "no base64": (surface(points={"text": PACKED.replace(PACKED[50], "%")}), "damaged"),
    "compressed twice": (
        surface(points={"text": base64.b64encode(zlib.compress(zlib.compress(POINTS.tobytes()))).decode()}),
        "a data array of the GIFTI file",
    ),
    "words instead of numbers": (surface("ASCII", points={"text": "a b c"}), "damaged"),
    "numbers missing": (surface("ASCII", points={"text": "1 2 3"}), "dimensions"),
    "declared too many": (surface(points={"Dim0": COUNT + 1}), "dimensions"),
    "declared too few": (surface(points={"Dim0": COUNT - 1}), ""),
    "declared far too many": (surface(points={"Dim0": 10**8}), "dimensions"),
    "other columns": (surface(points={"Dim0": COUNT * 3 // 2, "Dim1": 2}), "another form"),
    "other type": (surface(points={"DataType": "NIFTI_TYPE_FLOAT64"}), "dimensions"),
    "integers for points": (surface(points={"DataType": "NIFTI_TYPE_INT32"}), "another form"),
    "unknown type": (surface(points={"DataType": "NIFTI_TYPE_COMPLEX64"}), "unknown DataType"),
    "unknown encoding": (surface(points={"Encoding": "Bzip2"}), "unknown Encoding"),
    "unknown order": (surface(points={"ArrayIndexingOrder": "Diagonal"}), "unknown ArrayIndexingOrder"),
    "unknown endian": (surface(points={"Endian": "MiddleEndian"}), "unknown Endian"),
    "zero dimension": (surface(points={"Dim0": 0}), "dimensions"),
    "negative dimension": (surface(points={"Dim0": -5}), "dimensions"),
    "more arrays declared": (surface().replace('Arrays="2"', 'Arrays="3"'), "contradicts itself"),
    "web page": (b"<!DOCTYPE html>\n<html><body><br></body></html>", "no pointset"),
    "web page in small letters": (b"<!doctype html>\n<html lang=en><br>", "no pointset"),
    "web page without a type": (b"<html><body>404</body></html>", "no pointset"),
    "answer of a server": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "no pointset"),
    "no arrays": (document(), "no pointset"),
    "triangles only": (document(array(FACES, "TRIANGLE")), "no pointset"),
    "points only": (document(array(POINTS, "POINTSET")), "no array of triangles"),
    "two pointsets": (document(*[array(POINTS, "POINTSET")] * 2, array(FACES, "TRIANGLE")), "more than one pointset"),
    "empty": (b"", "empty"),
    "text": (b"just words", "truncated or damaged"),
    "pointer of git-annex": (b"/annex/objects/MD5E-s1--0.gii\n", "datalad get"),
    "NIfTI": (b"\x5c\x01\0\0" + bytes(400), "truncated or damaged"),
}


@pytest.mark.parametrize("name", ["lh.a.surf.gii", "lh.a.surf.gii.gz"])
@pytest.mark.parametrize("condition", DAMAGE)
def test_files_that_cannot_be_read(refused, tmp_path, condition, name):
    text, word = DAMAGE[condition]
    if condition == "empty" and name.endswith("gz"):
        text = b" "
        word = ""
    path = save(tmp_path / name, text)
    refused(InputFileError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1", word)


def test_compression_and_name(refused, tmp_path):
    for name, content in (("a.gii", gzip.compress(surface().encode())), ("a.gii.gz", surface().encode())):
        (tmp_path / name).write_bytes(content)
        refused(InputFileError, lambda name=name: read_gifti_surface(tmp_path / name), name, "disagree on compression")
    for lost, word in ((3, "truncated"), (30, "truncated")):
        (tmp_path / "b.gii.gz").write_bytes(gzip.compress(surface().encode())[:-lost])
        refused(InputFileError, lambda: read_gifti_surface(tmp_path / "b.gii.gz"), "b.gii.gz", word)


SPECIAL = {
    "folder": lambda path: path.mkdir(),
    "named pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "looping link": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("name", ["a.gii", "a.gii.gz"])
@pytest.mark.parametrize("condition", SPECIAL)
def test_no_regular_file(refused, tmp_path, condition, name):
    SPECIAL[condition](tmp_path / name)
    refused(InputFileError, lambda: read_gifti_surface(tmp_path / name), name, "not a regular file")


def spoil_point(value):
    points = POINTS.copy()
    points[5, 1] = value
    return {"text": base64.b64encode(zlib.compress(points.tobytes())).decode()}


def matrix(numbers):
    return {"inside": "<CoordinateSystemTransformMatrix><DataSpace>NIFTI_XFORM_UNKNOWN</DataSpace>"
            f"<MatrixData>{numbers}</MatrixData></CoordinateSystemTransformMatrix>"}  # fmt: skip


GEOMETRY = {
    "other byte order of the points": ({"points": {"Endian": "BigEndian"}}, ""),
    "other byte order of the faces": ({"faces": {"Endian": "BigEndian"}}, "index out of range"),
    "other byte order of both": ({"points": {"Endian": "BigEndian"}, "faces": {"Endian": "BigEndian"}}, ""),
    "other array order of the points": ({"points": {"ArrayIndexingOrder": "ColumnMajorOrder"}}, ""),
    "other array order of the faces": ({"faces": {"ArrayIndexingOrder": "ColumnMajorOrder"}}, ""),
    "NaN": ({"points": spoil_point(np.nan)}, "vertex 5"),
    "infinite": ({"points": spoil_point(np.inf)}, "vertex 5"),
    "transform of scale": ({"points": matrix("2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1")}, "XForm"),
    "transform of place": ({"points": matrix("1 0 0 5 0 1 0 0 0 0 1 0 0 0 0 1")}, "XForm"),
    "transform of NaN": ({"points": matrix("nan 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1")}, "XForm"),
    "transform cut short": ({"points": matrix("1 0 0")}, "XForm"),
    "transform of words": ({"points": matrix("identity")}, "XForm"),
}


@pytest.mark.parametrize("sphere", [True, False])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("condition", GEOMETRY)
def test_geometry_that_cannot_be(refused, tmp_path, condition, encoding, sphere):
    change, *words = GEOMETRY[condition]
    if encoding != "GZipBase64Binary" and (
        "text" in change.get("points", {}) or "byte order" in condition and encoding == "ASCII"
    ):
        pytest.skip("text has no byte order; the spoiled payload is compressed")
    path = save(tmp_path / "lh.a.surf.gii", surface(encoding, **change))

    def read():
        found = read_gifti_surface(path, "sub-1")
        return check_sphere(found) if sphere else check_surface(found)

    refused(GeometryError, read, path, "sub-1", *words)


def test_identity_transform_is_accepted(tmp_path):
    path = save(tmp_path / "lh.a.surf.gii", surface(points=matrix("1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1.0")))
    np.testing.assert_array_equal(read_gifti_surface(path).mesh.vertices, POINTS)


@pytest.mark.parametrize(
    "values", [np.zeros(COUNT - 1, "<f4"), np.zeros((COUNT, 3), "<f4"), np.full(COUNT, np.nan, "<f4")]
)
def test_values_that_cannot_be(refused, tmp_path, values):
    path = save(tmp_path / "lh.a.shape.gii", document(array(values, "SHAPE")))
    refused(InputFileError, lambda: read_gifti_values(path, COUNT, "sub-1"), path, "sub-1")
    refused(InputFileError, lambda: read_gifti_labels(path, COUNT, "sub-1"), path, "sub-1")


CANARY = "canary-of-a-file-that-nobody-may-read"
NESTED = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "nested entities": f'<!DOCTYPE GIFTI [<!ENTITY a0 "{"x" * 100}">{NESTED}]>\n',
    "quadratic entities": f'<!DOCTYPE GIFTI [<!ENTITY a9 "{"x" * 100_000}">]>\n',
    "external entity": '<!DOCTYPE GIFTI [<!ENTITY a9 SYSTEM "file://{canary}">]>\n',
    "parameter entity": '<!DOCTYPE GIFTI [<!ENTITY % a SYSTEM "file://{canary}"> %a;]>\n',
    "other DTD": '<!DOCTYPE GIFTI SYSTEM "{canary}" [<!ELEMENT GIFTI ANY>]>\n',
}


def hostile(folder):
    """Files that would expand, or read another file; names and what their refusal says."""
    canary = folder / "canary.txt"
    canary.write_bytes(CANARY.encode().ljust(POINTS.nbytes))
    found = {}
    for number, (_, doctype) in enumerate(HOSTILE.items()):
        uses = "&a9;" * (5000 if number == 1 else 1) if number < 3 else ""
        inside = f"<MetaData><MD><Name>{uses}</Name><Value>x</Value></MD></MetaData>"
        save(folder / f"entity{number}.gii", surface(doctype=doctype.replace("{canary}", str(canary)), inside=inside))
        found[f"entity{number}.gii"] = "InputFileError|DTD entity refused"
    for number, name in enumerate([str(canary), "canary.txt", "../" * 20 + str(canary)[1:]]):
        points = {"Encoding": "ExternalFileBinary", "ExternalFileName": name, "ExternalFileOffset": 0, "text": ""}
        save(folder / f"external{number}.gii", surface(points=points))
        found[f"external{number}.gii"] = "InputFileError|external data refused"
    packer = zlib.compressobj(1)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(32)) + packer.flush()
    text = base64.b64encode(bomb).decode()
    save(folder / "array.gii", surface(points={"text": text, "Dim0": 400_000}))
    found["array.gii"] = "InputFileError|expands beyond the declared"
    save(folder / "text.gii", surface(points={"text": text}))
    found["text.gii"] = "InputFileError|longer than"
    packer = zlib.compressobj(1, wbits=31)
    (folder / "file.gii.gz").write_bytes(
        b"".join(
            [packer.compress(HEAD.encode()), *(packer.compress(b" " * (1 << 24)) for _ in range(32)), packer.flush()]
        )
    )
    found["file.gii.gz"] = "ResourceError|MONAI_CORTEX_MEMORY_GB"
    save(folder / "deep.gii", f"{HEAD}<GIFTI>{'<a>' * 1_100_000}")
    found["deep.gii"] = "InputFileError|too complex"
    save(folder / "long.gii", surface(inside=f"<MetaData><MD><Name>{'x' * 10_000_000}</Name></MD></MetaData>"))
    found["long.gii"] = "InputFileError|longer than"
    return found


WATCHED = """
import builtins, os, resource, sys, time
from pathlib import Path
from monai_cortex.data import read_gifti_surface
from monai_cortex.errors import CortexError
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ("open", "socket.connect") else None)
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path(os.environ["FOLDER"])
for name in os.environ["NAMES"].split():
    begin = time.monotonic()
    try:
        read_gifti_surface(folder / name, "sub-1")
    except CortexError as error:
        text = str(error)
        words = ("DTD entity refused", "external data refused", "expands beyond the declared", "MONAI_CORTEX_MEMORY_GB",
                 "too complex", "longer than")
        print(name, type(error).__name__, *[word for word in words if word in text], sep="|")
        assert os.environ["CANARY"] not in text and len(text.splitlines()) <= 5
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
    assert grown < 100, (name, grown)
    assert time.monotonic() - begin < 20, name
assert not [name for name in seen if "canary" in name], seen
"""


def test_hostile_files_in_little_memory(tmp_path, limited):
    """Entities, other files and bombs: nothing is expanded, opened or held, in a process of 4 GB."""
    expected = hostile(tmp_path)
    where = {"FOLDER": str(tmp_path), "NAMES": " ".join(expected), "CANARY": CANARY, "MONAI_CORTEX_MEMORY_GB": "0.2"}
    found = limited(WATCHED, seconds=60, memory=8 << 30, environment=where)
    assert found.out.splitlines() == [f"{name}|{answer}" for name, answer in expected.items()], found.err
    assert found.code == 0, found.err


@pytest.mark.parametrize("name", ["a.surf.gii", "a.surf.gii.gz"])
def test_no_flipped_bit_changes_a_surface(tmp_path, name, rounds):
    """Flips in the markup may change metadata, which have no checksum; coordinates and triangles never."""
    path = save(tmp_path / name, surface())
    content, rng, refusals = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(rounds(25, 200)):
        place, bit = rng.integers(len(content)), 1 << int(rng.integers(8))
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            found = read_gifti_surface(path).mesh
        except CortexError:
            refusals += 1
        else:
            assert found.vertices.numpy().astype("<f4").tobytes() == POINTS.tobytes()
            assert found.faces.numpy().astype("<i4").tobytes() == FACES.tobytes()
    assert refusals > 0.7 * rounds(25, 200)
