import gzip
import logging

import numpy as np
import pytest

from monai_cortex.data.nifti_header import Layout
from monai_cortex.data.voxels import check_values, load_voxels, read_layout_of, require_contrast, require_whole
from monai_cortex.errors import InputFileError, ResourceError

OFFSET = 16


@pytest.fixture
def layout(affine):
    return Layout((2, 3, 4), np.dtype(">i2"), OFFSET, 0.5, -1.0, affine)


@pytest.fixture
def numbers():
    return np.arange(24, dtype=">i2").reshape(2, 3, 4)


@pytest.fixture
def written(tmp_path, numbers):
    def write(name="a.mgh"):
        content = bytes(OFFSET) + numbers.tobytes(order="F")
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("z") else content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["a.mgh", "a.nii.gz", "a.mgz"])
def test_voxels_are_in_their_places_scaled(written, layout, numbers, name):
    values = load_voxels(written(name), layout, "sub-1")
    assert (values.dtype, values.shape) == (np.float32, (2, 3, 4))
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, 0.5 * numbers - 1)


def test_voxels_do_not_follow_their_file(written, layout, numbers):
    path = written()
    values = load_voxels(path, layout, "sub-1")
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    values += 1
    np.testing.assert_array_equal(values, 0.5 * numbers)


def test_an_image_beyond_the_memory_limit(written, layout, refused, monkeypatch):
    path, need = written(), 24 * (4 + 2 + 20)
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", f"{(need + 0.5) / 1e9}")
    assert load_voxels(path, layout, "sub-1").size == 24
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", f"{(need - 0.5) / 1e9}")
    words = (path, "sub-1", f"needs {need} bytes", f"at most {need - 1} bytes", "MONAI_CORTEX_MEMORY_GB")
    refused(ResourceError, lambda: load_voxels(path, layout, "sub-1"), *words)
    refused(ResourceError, lambda: require_whole(layout, path, "sub-1"), *words)


def test_series_lies_volume_by_volume(tmp_path, affine):
    numbers = np.random.default_rng(0).integers(-99, 99, (40, 30, 50, 3, 2), dtype=np.int8)
    path = tmp_path / "a.nii"
    path.write_bytes(numbers.tobytes(order="F"))
    values = load_voxels(path, Layout(numbers.shape, numbers.dtype, 0, 1.0, 0.0, affine), "")
    np.testing.assert_array_equal(values, numbers)
    assert values[..., 1, 1].flags.c_contiguous
    # A series of volumes, first axis first, is no copy.
    assert np.moveaxis(values[..., 0], -1, 0).flags.c_contiguous


@pytest.mark.parametrize("shape", [(5,), (5, 4), (1, 1, 1), (3, 2, 40)])
def test_every_shape_is_kept(tmp_path, affine, shape):
    numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    path = tmp_path / "a.nii"
    path.write_bytes(numbers.tobytes(order="F"))
    found = load_voxels(path, Layout(shape, numbers.dtype, 0, 1.0, 0.0, affine), "")
    np.testing.assert_array_equal(found, numbers)


def test_a_file_that_changes_is_refused(written, layout, refused):
    path = written()
    path.write_bytes(path.read_bytes()[:-2])
    refused(InputFileError, lambda: load_voxels(path, layout, "sub-1"), path, "sub-1", "changed while it was read")


@pytest.mark.parametrize(
    ("name", "lost", "words"),
    [
        ("a.mgh", 1, ("truncated: the header claims more", "holds 63 bytes", "claims 64 bytes", "int16")),
        ("a.mgz", 12, ("truncated: the stream ends early",)),
        ("a.mgz", 3, ("gzip trailer missing",)),
    ],
)
def test_less_than_the_header_claims(written, layout, refused, name, lost, words):
    path = written(name)
    path.write_bytes(path.read_bytes()[:-lost])
    refused(InputFileError, lambda: require_whole(layout, path, "sub-1"), path, "sub-1", *words)


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_all_that_the_header_claims_or_more(written, layout, refused, name, caplog):
    path = written(name)
    require_whole(layout, path, "")
    assert not caplog.messages
    less = layout._replace(shape=(2, 3, 3))
    require_whole(less, path, "", surplus=True)
    assert not caplog.messages
    require_whole(less, path, "")
    assert caplog.messages == [f"{name}: 12 bytes behind the voxels are not read"]
    much = gzip.compress(path.read_bytes() + bytes(1 << 25)) if name == "a.mgz" else path.read_bytes() + bytes(1 << 25)
    path.write_bytes(much)
    refused(InputFileError, lambda: require_whole(layout, path, ""), path, "far more than its header claims")


def test_damage_explains_a_header_that_cannot_be(written, layout, refused):
    path = written("a.mgz")
    error = InputFileError("wrong magic", file=path, remedy="x")

    def interpret(head):
        raise error

    assert read_layout_of(path, "", lambda head: layout._replace(offset=len(head))).offset == 64
    refused(InputFileError, lambda: read_layout_of(path, "", interpret), "wrong magic")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-4])
    refused(InputFileError, lambda: read_layout_of(path, "", interpret), "truncated")
    content[-6] ^= 1
    path.write_bytes(content)
    refused(InputFileError, lambda: read_layout_of(path, "", interpret), "CRC")


# Opposite infinities cancel in no sum, and large numbers do not overflow it.
@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [-np.inf], [np.inf, -np.inf], [np.nan, np.inf]])
def test_three_policies_for_what_is_not_finite(values, refused, caplog, bad):
    spoiled = values.copy()
    spoiled.flat[7 : 7 + len(bad)] = bad
    kept = check_values(spoiled, "keep", "a.mgz", "sub-1")
    assert kept is spoiled
    nan = int(np.isnan(bad).sum())
    words = ("a.mgz", "sub-1", f"{len(bad)} non-finite", f"{nan} NaN and {len(bad) - nan} infinite of 120")
    refused(InputFileError, lambda: check_values(spoiled, "error", "a.mgz", "sub-1"), *words)
    with caplog.at_level(logging.WARNING, "monai_cortex"):
        masked = check_values(spoiled, "mask", "folder/a.mgz", "sub-1")
    assert caplog.messages == [f"a.mgz: {len(bad)} non-finite voxels set to 0"]
    expected = values.copy()
    expected.flat[7 : 7 + len(bad)] = 0
    np.testing.assert_array_equal(masked, expected)
    assert masked.dtype == np.float32
    assert not np.isfinite(spoiled).all()


@pytest.mark.parametrize("policy", ["error", "mask", "keep"])
def test_finite_voxels_pass_however_large(caplog, policy):
    values = np.full((3, 4, 5), np.finfo(np.float32).max)
    assert check_values(values, policy, "a.mgz", "") is values
    assert not caplog.messages


def test_contrast(refused):
    flat = np.full((2, 3, 4), 7.5, np.float32)
    words = ("a.mgz", "sub-1", "constant", "7.5 in every voxel")
    refused(InputFileError, lambda: require_contrast(flat, "a.mgz", "sub-1"), *words)
    flat[1, 2, 3] = np.nextafter(np.float32(7.5), np.float32(8))
    require_contrast(flat, "a.mgz", "sub-1")
