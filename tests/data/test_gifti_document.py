import base64
import gzip
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_cortex.data.gifti import read_gifti_surface
from monai_cortex.data.gifti_document import read_gifti
from monai_cortex.errors import CortexError, InputFileError

fuzz = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMITED = """
import resource, sys
from monai_cortex.data import read_gifti_surface
from monai_cortex.errors import CortexError
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, used + 100_000_000))
for path in sys.argv[1:]:
    try:
        read_gifti_surface(path)
    except CortexError as error:
        print(type(error).__name__, str(error).splitlines()[0])
"""
NESTED = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
ENTITIES = {
    "nested": f'<!DOCTYPE GIFTI [<!ENTITY e0 "lol">{NESTED}]>',
    "quadratic": f'<!DOCTYPE GIFTI [<!ENTITY e19 "{"x" * 100_000}">]>',
    "external": '<!DOCTYPE GIFTI [<!ENTITY e19 SYSTEM "canary.txt">]>',
    "parameter": '<!DOCTYPE GIFTI [<!ENTITY % p SYSTEM "canary.txt"> %p;]>',
    "undeclared": '<!DOCTYPE GIFTI SYSTEM "http://gifti.projects.nitrc.org/gifti.dtd">',
}


def pair(value):
    return f"<MetaData><MD><Name>a</Name><Value>{value}</Value></MD></MetaData>"


def complaint(call):
    """Text of the error that a call ends with, if any; errors of other kinds come through."""
    try:
        call()
    except CortexError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ENTITIES)
def test_entities_are_refused(tmp_path, gifti, refused, name):
    (tmp_path / "canary.txt").write_text("chirp")
    path = gifti("a.gii", doctype=ENTITIES[name], inside=pair("&e19;" * 1000))
    error = refused(InputFileError, lambda: read_gifti(path, "sub-1"), path, "sub-1", "DTD entity refused")
    assert "chirp" not in str(error)


def test_definitions_inside_the_file_are_refused(gifti, refused):
    # Without any entity: what it declares here would change how the arrays are read.
    path = gifti("a.gii", doctype='<!DOCTYPE GIFTI [<!ATTLIST DataArray Other CDATA "1">]>')
    refused(InputFileError, lambda: read_gifti(path), path, "DTD entity refused")


@pytest.mark.parametrize("start", ["<!DOCTYPE html>", "<html>", "<?xml version='1.0'?><Error>"])
def test_other_documents_are_no_gifti(tmp_path, refused, start):
    # The type alone must do: what follows may be no XML.
    path = tmp_path / "a.gii"
    path.write_text(f"{start} & <br>")
    refused(InputFileError, lambda: read_gifti(path, "sub-1"), path, "sub-1", "not a GIFTI file")


@pytest.mark.parametrize("doctype", ["", ENTITIES["undeclared"]])
def test_address_of_the_usual_definition_is_not_looked_up(gifti, doctype):
    document = read_gifti(gifti("a.gii", doctype=doctype, inside=pair("x &amp; &#121;")))
    assert [array.intent for array in document.arrays] == ["NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE"]
    assert document.metadata == {"a": "x & y"}


OPENED = []
WATCH = []


def watch(event, arguments):
    if WATCH and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(watch)


@pytest.mark.parametrize("absolute", [True, False])
def test_external_data_are_never_opened(tmp_path, gifti, gifti_array, refused, absolute):
    place = tmp_path / "canary.bin"
    np.zeros((162, 3), "<f4").tofile(place)
    name = str(place) if absolute else "../canary.bin"
    array = gifti_array(np.zeros((162, 3), "<f4"), "POINTSET", "ExternalFileBinary", ExternalFileName=name, text="")
    path = gifti("below/a.gii", array)
    WATCH.append(True)
    refused(InputFileError, lambda: read_gifti(path, "sub-1"), path, "sub-1", "external data refused", "canary.bin")
    WATCH.clear()
    assert str(path) in OPENED
    assert not any("canary" in name for name in OPENED)


def test_bombs_stay_small(gifti, gifti_array, tmp_path):
    payload = zlib.compress(bytes(150_000_000), 9)
    text = base64.b64encode(payload).decode()
    bomb = gifti("bomb.gii", gifti_array(np.zeros((20_000, 3), "<f4"), "POINTSET", text=text))
    entities = gifti("entities.gii", doctype=ENTITIES["nested"], inside=pair("&e19;" * 1000))
    # A declaration that fits the payload, but no machine.
    huge = gifti_array(np.zeros((2, 3), "<f4"), "POINTSET", text=text, Dim0=10**15)
    paths = [bomb, entities, gifti("huge.gii", huge), gifti("packed.gii.gz", pair(" " * 20_000_000))]
    command = [sys.executable, "-c", LIMITED, *map(str, paths)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    kinds = [line.split()[0] for line in found]
    assert kinds == ["InputFileError", "InputFileError", "ResourceError", "InputFileError"]
    assert "damaged" in found[0]


@pytest.mark.parametrize("extra", [1, 4, 12])
def test_payload_larger_than_declared(gifti, gifti_array, ball, refused, extra):
    payload = zlib.compress(ball.vertices.numpy().astype("<f4").tobytes() + bytes(extra))
    text = base64.b64encode(payload).decode()
    path = gifti("a.gii", gifti_array(np.zeros((162, 3), "<f4"), "POINTSET", text=text))
    refused(InputFileError, lambda: read_gifti(path), path, "beyond the declared 1,944 bytes")


@pytest.mark.parametrize("name", ["a.gii", "a.gii.gz"])
@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
def test_file_cut_anywhere_is_refused(gifti, refused, name, share):
    path = gifti(name)
    # The line end behind the last element is no loss.
    whole = path.read_bytes().removesuffix(b"\n")
    path.write_bytes(whole[: int(share * len(whole))])
    refused(InputFileError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1")


@fuzz
@given(position=st.floats(0, 1, exclude_max=True), value=st.binary(min_size=1, max_size=4))
def test_damage_never_leads_to_another_error(gifti, position, value):
    path = gifti("a.gii")
    content = bytearray(path.read_bytes())
    start = int(position * len(content))
    content[start : start + len(value)] = value
    path.write_bytes(content)
    text = complaint(lambda: read_gifti_surface(path))
    assert str(path) in text or not text
    assert len(text.splitlines()) <= 5


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<!DOCTYPE html><html><body>x</body></html>", "no pointset"),
        (b"<html><body>x</body></html>", "no pointset"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "no pointset"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\xff\xff\xfe words", "XML"),
        (b"", "empty"),
        (b'<?xml version="1.0" encoding="x-martian"?><GIFTI/>', "XML"),
        (b"<GIFTI><DataArray></GIFTI>", "unknown Encoding"),
    ],
)
def test_foreign_files(tmp_path, refused, content, word):
    path = tmp_path / "a.gii"
    path.write_bytes(content)
    refused(InputFileError, lambda: read_gifti_surface(path, "sub-1"), path, "sub-1", word)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("<Data>AAAA</Data>", "wrong place"),
        ("<MetaData>" * 1_000_001, "too complex"),
        (pair("x" * 70_000), "longer than"),
        ('<LabelTable><Label Key="x">a</Label></LabelTable>', "XML"),
    ],
)
def test_impossible_structure(gifti, refused, body, word):
    path = gifti("a.gii", body, count=0)
    refused(InputFileError, lambda: read_gifti(path), path, word)


def test_arrays_without_and_with_too_much_data(gifti, gifti_array, refused):
    array = gifti_array(np.ones(3, "<f4"), "SHAPE")
    path = gifti("a.gii", array.replace("<Data>", "<Other>").replace("</Data>", "</Other>"))
    refused(InputFileError, lambda: read_gifti(path), path, "no data")
    path = gifti("a.gii", array.replace("</DataArray>", "<Data>AAAA</Data></DataArray>"))
    refused(InputFileError, lambda: read_gifti(path), path, "wrong place")


@pytest.mark.parametrize("count", [1, 3, "x"])
def test_wrong_number_of_arrays(gifti, refused, count):
    path = gifti("a.gii", count=count)
    refused(InputFileError, lambda: read_gifti(path), path, "2 data arrays", f"'{count}' data arrays")


def test_text_of_the_file_cannot_lengthen_a_message(gifti, gifti_array, refused):
    lines = gifti_array(np.ones(3, "<f4"), "SHAPE", DataType="a&#10;" * 50)
    path = gifti("a.gii", lines)
    refused(InputFileError, lambda: read_gifti(path), path, "unknown DataType")
    path = gifti("a.gii", gifti_array(np.ones(3, "<f4"), "a&#10;b&#10;c&#10;d&#10;e&#10;f"))
    refused(InputFileError, lambda: read_gifti_surface(path), path, "no pointset")


def test_compressed_file_is_verified(gifti, refused):
    path = gifti("a.gii.gz")
    whole = path.read_bytes()
    assert len(read_gifti(path).arrays) == 2
    path.write_bytes(whole[:-8])
    refused(InputFileError, lambda: read_gifti(path), path, "truncated")
    path.write_bytes(whole[:-8] + b"1234" + whole[-4:])
    refused(InputFileError, lambda: read_gifti(path), path, "CRC")
    path.with_suffix("").write_bytes(whole)
    refused(InputFileError, lambda: read_gifti(path.with_suffix("")), "disagree on compression")
    path.write_bytes(gzip.decompress(whole))
    refused(InputFileError, lambda: read_gifti(path), path, "disagree on compression")
