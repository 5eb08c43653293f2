import struct

import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_cortex.data.annotation import read_annotation
from monai_cortex.errors import InputFileError

fuzz = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
COLORS = np.array([[25, 5, 25, 0, 0], [100, 25, 0, 7, 0], [125, 100, 160, 255, 0]])
NAMES = ["unknown", "bankssts", "insula größe"]
NUMBERS = [25 + (5 << 8) + (25 << 16), 100 + (25 << 8), 125 + (100 << 8) + (160 << 16)]
LABELS = np.array([2, 0, -1, 1, 1, 2, 0])


def integers(*numbers):
    return struct.pack(f">{len(numbers)}i", *numbers)


def text(word):
    data = word.encode() + b"\0"
    return integers(len(data)) + data


def content(numbers, table, places=None):
    places = range(len(numbers)) if places is None else places
    pairs = b"".join(integers(place, number) for place, number in zip(places, numbers, strict=True))
    return integers(len(numbers)) + pairs + table


def new_table(entries, size, version=-2):
    rows = b"".join(integers(index) + text(name) + integers(*color) for index, name, color in entries)
    return integers(1, version, size) + text("some/table.ctab") + integers(len(entries)) + rows


def old_table(entries):
    rows = b"".join(text(name) + integers(*color) for name, color in entries)
    return integers(1, len(entries)) + text("some/table.ctab") + rows


ENTRIES = [(index, name, color[:4]) for index, (name, color) in enumerate(zip(NAMES, COLORS.tolist(), strict=True))]


@pytest.fixture
def annotation(tmp_path):
    def write(data):
        (tmp_path / "lh.aparc.annot").write_bytes(data)
        return tmp_path / "lh.aparc.annot"

    return write


def test_what_nibabel_writes_is_read_as_nibabel_reads_it(tmp_path, caplog):
    path = tmp_path / "lh.aparc.annot"
    nibabel_freesurfer.write_annot(path, LABELS, COLORS, NAMES)
    found = read_annotation(path, 7)
    assert found.labels.tolist() == LABELS.tolist()
    assert found.labels.dtype == found.colors.dtype == np.int64
    assert found.names == tuple(NAMES)
    labels, colors, names = nibabel_freesurfer.read_annot(path)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.colors, colors)
    assert [name.decode() for name in names] == NAMES
    assert not caplog.records


def test_old_color_table(annotation):
    path = annotation(content(NUMBERS, old_table([entry[1:] for entry in ENTRIES])))
    found = read_annotation(path, 3)
    assert found.labels.tolist() == [0, 1, 2]
    assert found.names == tuple(NAMES)
    assert found.colors[:, 4].tolist() == NUMBERS


def test_vertices_in_another_order(annotation):
    path = annotation(content(NUMBERS, new_table(ENTRIES, 3), places=[2, 0, 1]))
    assert read_annotation(path, 3).labels.tolist() == [1, 2, 0]


def test_numbers_that_are_all_strange_to_the_table(annotation, refused):
    path = annotation(content([77, 78, 79], new_table([(0, NAMES[0], COLORS[0])], 1)))
    refused(
        InputFileError, lambda: read_annotation(path, 3, "sub-1"), path, "sub-1", "numbers from 77 to 79", NUMBERS[0]
    )


def test_gaps_in_the_table_and_unknown_numbers(annotation, caplog):
    entries = [(5, "a", (1, 0, 0, 0)), (2, "b", (2, 0, 0, 0)), (3, "black", (0, 0, 0, 0))]
    found = read_annotation(annotation(content([1, 2, 0, 77, 3], new_table(entries, 6))), 5)
    assert found.labels.tolist() == [5, 2, -1, -1, -1]
    assert found.names == ("", "", "b", "black", "", "a")
    assert "2 vertices have a number that is not in the color table" in caplog.text


@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("table", [new_table(ENTRIES, 3), old_table([entry[1:] for entry in ENTRIES])])
def test_annotation_cut_anywhere_is_refused(annotation, refused, table, share):
    whole = content(NUMBERS, table)
    path = annotation(whole[: int(share * len(whole))])
    refused(InputFileError, lambda: read_annotation(path, 3, "sub-1"), path, "sub-1")


HUGE = 2**31 - 1
FAULTS = {
    "other surface": (content(NUMBERS[:2], new_table(ENTRIES, 3)), ("2 labels", "3 labels")),
    "huge count": (integers(HUGE), ("2,147,483,647 labels",)),
    "a vertex twice": (content(NUMBERS, new_table(ENTRIES, 3), places=[0, 1, 1]), ("label each vertex once",)),
    "a vertex beyond": (content(NUMBERS, new_table(ENTRIES, 3), places=[0, 1, 3]), ("label each vertex once",)),
    "no table": (content(NUMBERS, integers(0)), ("no color table",)),
    "no tag": (content(NUMBERS, b""), ("no color table",)),
    "version 3": (content(NUMBERS, new_table(ENTRIES, 3, version=-3)), ("version 3",)),
    "huge table": (content(NUMBERS, new_table(ENTRIES, HUGE)), ("2147483647 regions",)),
    "huge old table": (content(NUMBERS, integers(1, HUGE)), ("2147483647 regions",)),
    "empty table": (content(NUMBERS, new_table([], 0)), ("0 regions",)),
    "region beyond": (content(NUMBERS, new_table([(3, "a", (1, 2, 3, 0))], 3)), ("region 3",)),
    "region negative": (content(NUMBERS, new_table([(-1, "a", (1, 2, 3, 0))], 3)), ("region -1",)),
    "long name": (content(NUMBERS, integers(1, -2, 3, HUGE)), ("color table's own name",)),
    "negative name": (content(NUMBERS, integers(1, -2, 3, -1)), ("no negative length (-1)",)),
    "web page": (b"<html>", ("web page",)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(annotation, refused, name):
    data, words = FAULTS[name]
    path = annotation(data)
    refused(InputFileError, lambda: read_annotation(path, 3, "sub-1"), path, "sub-1", *words)
