import gzip
import tracemalloc
import zlib

import numpy as np
import pytest

from monai_cortex.data.image_file import could_hold, inspect_content, read_start
from monai_cortex.data.nifti import read_volume
from monai_cortex.errors import CortexError, InputFileError

LIMIT = 1 << 40


@pytest.mark.parametrize("kind", ["noise", "labels"])
def test_no_flipped_bit_goes_unnoticed(nifti, values, kind):
    voxels = values if kind == "noise" else (values > 100).astype(np.uint8)
    path = nifti(voxels=voxels)
    content, truth = path.read_bytes(), read_volume(path)
    # Header and trailer of the stream wholly, and a spread of its payload.
    bits = [*range(8 * 12), *range(8 * len(content) - 8 * 9, 8 * len(content)), *range(96, 8 * len(content), 61)]
    caught = []
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = read_volume(path)
        except CortexError as error:
            caught.append(type(error))
        else:  # time stamp, system and padding of the stream carry nothing
            np.testing.assert_array_equal(found.values, truth.values)
            np.testing.assert_array_equal(found.affine, truth.affine)
    assert set(caught) == {InputFileError}
    assert len(caught) >= len(bits) - 80, "nearly every bit counts outside the stream's own header"


@pytest.mark.parametrize("keep", [5, 12, 100, -9])
def test_truncated_stream(nifti, refused, keep):
    path = nifti()
    path.write_bytes(path.read_bytes()[:keep])
    refused(InputFileError, lambda: read_volume(path, subject="sub-1"), path, "sub-1", "truncated")


@pytest.mark.parametrize("lost", [1, 4, 8])
def test_missing_trailer(nifti, refused, lost):
    path = nifti()
    path.write_bytes(path.read_bytes()[:-lost])
    refused(InputFileError, lambda: read_volume(path), path, "gzip trailer missing")


def test_payload_of_another_image_fails_the_checksum(nifti, refused):
    path = nifti()
    content = bytearray(path.read_bytes())
    content[-8] ^= 255
    path.write_bytes(content)
    refused(InputFileError, lambda: read_volume(path), path, "CRC")


@pytest.mark.parametrize(("name", "word"), [("a.nii", "add .gz"), ("a.nii.gz", "export the file again")])
def test_name_and_content_disagree_on_compression(nifti, refused, name, word):
    other = nifti("b.nii" if name.endswith("gz") else "b.nii.gz")
    path = other.with_name(name)
    path.write_bytes(other.read_bytes())
    refused(InputFileError, lambda: read_volume(path), path, "name", "content", word)


def test_members_and_padding_are_read(tmp_path):
    content = np.random.default_rng(0).bytes(200_000)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content[:70_000]) + gzip.compress(content[70_000:]) + bytes(50_000))
    assert inspect_content(path, "", LIMIT) == (content[:1024], 200_000, True)


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) - 1, 1 << 20])
def test_members_that_fill_what_is_inflated_at_once(tmp_path, size):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(size)) + gzip.compress(bytes(size)) + gzip.compress(b"end"))
    assert inspect_content(path, "", LIMIT)[1:] == (2 * size + 3, True)


def test_junk_behind_the_stream_is_refused(nifti, refused):
    path = nifti()
    path.write_bytes(path.read_bytes() + b"junk behind it")
    refused(InputFileError, lambda: read_volume(path), path)


def test_bomb_is_refused_in_little_memory(tmp_path, refused):
    path = tmp_path / "a.nii.gz"
    packer = zlib.compressobj(9, wbits=31)
    path.write_bytes(b"".join(packer.compress(bytes(1 << 24)) for _ in range(16)) + packer.flush())
    tracemalloc.start()
    assert 200_000_000 < inspect_content(path, "", 200_000_000).size < 201_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_a_file_could_hold(nifti, name):
    path = nifti(name)
    size = inspect_content(path, "", LIMIT).size
    assert could_hold(path, size)
    assert not could_hold(path, size + 1)
    # Some formats keep a little behind the voxels.
    assert could_hold(path, size - 100)
    assert not could_hold(path, size + (1 << 32))  # more than 1032 times the file


def test_start_is_read_without_the_rest(nifti, refused):
    path = nifti()
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-20])
    assert read_start(path, "") == whole[: len(read_start(path, ""))]
    page = path.with_name("b.nii.gz")
    page.write_bytes(gzip.compress(b"<!DOCTYPE html><html></html>"))
    refused(InputFileError, lambda: read_start(page, "sub-1"), page, "sub-1", "web page")
