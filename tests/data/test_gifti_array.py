import base64
import zlib

import numpy as np
import pytest

from monai_cortex.data.gifti_array import decode, read_gifti_layout
from monai_cortex.data.named_file import NamedFile
from monai_cortex.errors import InputFileError, ResourceError

FILE = NamedFile("a.gii", "sub-1")
GOOD = {
    "Intent": "NIFTI_INTENT_SHAPE",
    "DataType": "NIFTI_TYPE_FLOAT32",
    "ArrayIndexingOrder": "RowMajorOrder",
    "Dimensionality": "2",
    "Dim0": "2",
    "Dim1": "3",
    "Encoding": "GZipBase64Binary",
    "Endian": "LittleEndian",
}
VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def packed(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize(("endian", "sign"), [("LittleEndian", "<"), ("BigEndian", ">")])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("encoding", ["ASCII", "Base64Binary", "GZipBase64Binary", "gzip"])
def test_every_encoding_gives_the_same_numbers(kind, endian, sign, order, encoding):
    data = VALUES.astype(np.dtype(kind).newbyteorder(sign)).tobytes(order)
    gzipped = zlib.compressobj(wbits=31)
    texts = {
        "ASCII": "\n ".join(map(str, VALUES.astype(kind).ravel(order).tolist())),
        "Base64Binary": packed(data),
        "GZipBase64Binary": packed(zlib.compress(data)),
        "gzip": packed(gzipped.compress(data) + gzipped.flush()),
    }
    words = {"DataType": f"NIFTI_TYPE_{kind.upper()}", "Endian": endian}
    words["ArrayIndexingOrder"] = {"C": "RowMajorOrder", "F": "ColumnMajorOrder"}[order]
    words["Encoding"] = "GZipBase64Binary" if encoding == "gzip" else encoding
    layout = read_gifti_layout(GOOD | words, FILE)
    assert (layout.shape, layout.size) == ((2, 3), len(data))
    text = texts[encoding]
    for wrapped in (text, f"\n{text[:5]}\n  {text[5:]} " if encoding != "ASCII" else f"\n\n{text} "):
        found = decode(layout, wrapped, FILE)
        assert found.dtype == np.dtype(kind)
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ({"Encoding": "ExternalFileBinary"}, "external data refused"),
        ({"Encoding": "Rot13"}, "unknown Encoding"),
        ({"Encoding": ""}, "unknown Encoding"),
        ({"Endian": "Middle"}, "unknown Endian"),
        ({"DataType": "NIFTI_TYPE_COMPLEX64"}, "unknown DataType"),
        ({"DataType": "float32"}, "unknown DataType"),
        ({"ArrayIndexingOrder": "C"}, "unknown ArrayIndexingOrder"),
        ({"Dimensionality": "0"}, "Dimensionality '0'"),
        ({"Dimensionality": "7"}, "Dimensionality '7'"),
        ({"Dimensionality": "-1"}, "Dimensionality '-1'"),
        ({"Dimensionality": "²"}, "Dimensionality"),
        ({"Dimensionality": "1" * 5000}, "Dimensionality"),
        ({"Dimensionality": "3"}, "['2', '3', '']"),
        ({"Dim1": "-3"}, "'-3'"),
        ({"Dim1": "0"}, "'0'"),
        ({"Dim1": "x"}, "'x'"),
    ],
)
def test_unknown_attributes(refused, words, word):
    refused(InputFileError, lambda: read_gifti_layout(GOOD | words, FILE), "a.gii", "sub-1", word)


def test_missing_attributes(refused):
    for name in set(GOOD) - {"Intent"}:
        without = {key: value for key, value in GOOD.items() if key != name}
        refused(InputFileError, lambda words=without: read_gifti_layout(words, FILE), "a.gii")
    text = {key: value for key, value in GOOD.items() if key != "Endian"} | {"Encoding": "ASCII"}
    assert read_gifti_layout(text, FILE).shape == (2, 3)


@pytest.mark.parametrize("size", ["9" * 18, "9" * 5000])
def test_declared_array_over_the_memory_limit(refused, size):
    refused(ResourceError, lambda: read_gifti_layout(GOOD | {"Dim0": size}, FILE), "a.gii", "sub-1", "GB declared")


PAYLOAD = zlib.compress(VALUES.tobytes())


@pytest.mark.parametrize(
    ("encoding", "text", "word"),
    [
        ("GZipBase64Binary", packed(PAYLOAD[:-1]), "end early"),
        ("GZipBase64Binary", packed(PAYLOAD[:-1] + b"x"), "incorrect data check"),
        ("GZipBase64Binary", packed(b"y" + PAYLOAD[1:]), "incorrect header check"),
        ("GZipBase64Binary", packed(zlib.compress(bytes(20))), "5 values"),
        ("GZipBase64Binary", packed(zlib.compress(bytes(28))), "beyond the declared 24 bytes"),
        ("GZipBase64Binary", "", "end early"),
        ("GZipBase64Binary", packed(PAYLOAD)[:-2], "damaged"),
        ("GZipBase64Binary", packed(PAYLOAD).replace("A", "!"), "damaged"),
        ("GZipBase64Binary", "größe", "damaged"),
        ("Base64Binary", packed(bytes(24))[:8] + "!" + packed(bytes(24))[8:], "damaged"),
        ("Base64Binary", packed(bytes(20)), "5 values"),
        ("Base64Binary", packed(bytes(28)), "7 or more values"),
        ("Base64Binary", packed(bytes(23)), "23 bytes"),
        ("ASCII", "1 2 3 4 5", "5 values"),
        ("ASCII", "1 2 3 4 5 6 7", "7 or more values"),
        ("ASCII", "1 2 3 4 5 x", "could not convert"),
    ],
)
def test_damaged_numbers(refused, encoding, text, word):
    layout = read_gifti_layout(GOOD | {"Encoding": encoding}, FILE)
    refused(InputFileError, lambda: decode(layout, text, FILE), "a.gii", "sub-1", word)


@pytest.mark.parametrize("number", ["4294967296", "-1", "256", "1.5", "9" * 50])
def test_integers_do_not_wrap(refused, number):
    layout = read_gifti_layout(GOOD | {"Encoding": "ASCII", "DataType": "NIFTI_TYPE_UINT8"}, FILE)
    refused(InputFileError, lambda: decode(layout, f"1 2 3 4 5 {number}", FILE), "a.gii", "damaged")
