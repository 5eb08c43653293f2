import gzip
import logging
from pathlib import Path

import numpy as np
import pytest

from monai_cortex.data.image_file import Content, inspect_content
from monai_cortex.data.nifti_header import Layout
from monai_cortex.data.voxels import check_values, load_voxels, require_contrast, require_whole
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
    path, need = written(), 24 * (2 + 8)
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", f"{(need + 0.5) / 1e9}")
    assert load_voxels(path, layout, "sub-1").size == 24
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", f"{(need - 0.5) / 1e9}")
    words = (path, "sub-1", "240 bytes", "at most 239 bytes", "MONAI_CORTEX_MEMORY_GB")
    refused(ResourceError, lambda: load_voxels(path, layout, "sub-1"), *words)


@pytest.mark.parametrize(
    ("size", "complete", "words"),
    [
        (OFFSET + 47, True, ("truncated: the header claims more", "holds 63 bytes", "claims 64 bytes", "int16")),
        (OFFSET + 47, False, ("truncated: the compressed stream ends early",)),
        (OFFSET + 48, False, ("gzip trailer missing",)),
    ],
)
def test_less_than_the_header_claims(layout, refused, size, complete, words):
    content = Content(b"", size, complete)
    refused(InputFileError, lambda: require_whole(content, layout, Path("a.mgz"), "sub-1"), "a.mgz", "sub-1", *words)


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_all_that_the_header_claims_or_more(written, layout, name):
    path = written(name)
    content = inspect_content(path, "", 1 << 20)
    require_whole(content, layout, path, "")
    require_whole(content._replace(size=content.size + 1), layout, path, "")


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
