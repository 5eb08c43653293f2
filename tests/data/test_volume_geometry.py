import numpy as np
import pytest

from monai_cortex.data.binary_file import BinaryFile
from monai_cortex.data.volume_geometry import center_of, centered_volume, pack_volume_geometry, read_volume_geometry
from monai_cortex.errors import InputFileError


@pytest.fixture
def read(tmp_path):
    def parse(data):
        (tmp_path / "lh.white").write_bytes(b"x" + data)
        with BinaryFile(tmp_path / "lh.white", "surface file", "sub-1") as file:
            file.content(1, "start")
            return read_volume_geometry(file)

    return parse


@pytest.mark.parametrize("head", [[20], [2, 0, 20], [2, 1, 20]])
def test_what_is_packed_reads_back_exactly(read, volume_info, head):
    volume_info["head"] = np.array(head)
    found = read(pack_volume_geometry(volume_info) + b"\0\0\0\3 a tag of FreeSurfer")
    assert list(found) == list(volume_info)
    for key, value in volume_info.items():
        np.testing.assert_array_equal(found[key], value)


def test_middle_of_a_centered_volume_is_the_origin(read):
    found = read(pack_volume_geometry(centered_volume("orig.mgz")))
    assert found["filename"] == "orig.mgz"
    assert center_of({**found, "cras": found["cras"] + 1}).tolist() == [1, 1, 1]  # offsets of this volume apply
    assert center_of(found).tolist() == [0, 0, 0]
    axes = np.stack([found[name] for name in ("xras", "yras", "zras")], 1)
    np.testing.assert_array_equal(axes @ [128, 128, 128] * found["voxelsize"] * 2, [-256, 256, -256])
    assert np.linalg.det(axes) == -1


def test_nothing_is_nothing(read):
    assert pack_volume_geometry({}) == b""
    assert read(b"") == {}
    assert center_of({}).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("head", "valid", "applies"),
    [
        ([2, 0, 20], "1  # volume info valid", True),
        ([20], "1  # volume info valid", True),
        ([2, 0, 20], "0  # volume info invalid", False),
        ([2, 1, 20], "1  # volume info valid", False),
    ],
)
def test_offset_applies_to_valid_surfaces_in_their_own_axes(volume_info, head, valid, applies):
    info = volume_info | {"head": np.array(head), "valid": valid}
    np.testing.assert_array_equal(center_of(info), volume_info["cras"] if applies else np.zeros(3))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../mri/filled-pretess255.mgz", "../mri/filled-pretess255.mgz"),
        ("orig.mgz", "orig.mgz"),
        ("/subjects/Jane_Doe/mri/filled.mgz", "filled.mgz"),
        ("../../Jane_Doe/mri/filled.mgz", "filled.mgz"),
        (r"C:\Jane_Doe\filled.mgz", "filled.mgz"),
        (r"..\Jane_Doe\filled.mgz", "filled.mgz"),
        ("two\nlines.mgz", "two lines.mgz"),
        ("", ""),
    ],
)
def test_name_of_the_volume_names_nobody(read, volume_info, name, kept):
    assert read(pack_volume_geometry(volume_info | {"filename": name}))["filename"] == kept


def test_unknown_content_is_logged(read, caplog):
    assert read(b"\0\0\0\2\0\0\0\0\0\0\0\3" * 10_000) == {}
    assert "lh.white: 120000 bytes behind the triangles" in caplog.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"cras   = 5.399413585662842", b"cras   = nan"),
        (b"cras   = 5.399413585662842", b"cras   = x"),
        (b"cras   = 5.399413585662842", b"cras   = 5 5"),
        (b"cras   = ", b"mras   = "),
        (b"volume = 256", b"volume = 2.5"),
        (b"volume = 256", b"volume = " + b"9" * 5000),
        (b"voxelsize = ", b"voxelsize : "),
        (b"yras", b"\xff\xfe"),
    ],
)
def test_damaged_lines(read, volume_info, refused, old, new):
    data = pack_volume_geometry(volume_info)
    assert old in data
    refused(InputFileError, lambda: read(data.replace(old, new)), "lh.white", "sub-1", "volume geometry")


@pytest.mark.parametrize("change", [{"cras": np.ones(2)}, {"volume": 3}])
def test_what_is_no_volume_geometry_is_refused(volume_info, change):
    with pytest.raises(ValueError, match="three numbers"):
        pack_volume_geometry(volume_info | change)
    del volume_info["cras"]
    with pytest.raises(ValueError, match="'cras'"):
        pack_volume_geometry(volume_info)
