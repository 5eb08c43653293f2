import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data.mgh import read_mgh, surface_offset
from monai_cortex.data.mgh_writer import write_mgh
from monai_cortex.errors import CortexError, InputFileError, ResourceError

ANGLE = 0.4
OBLIQUE = np.array(
    [
        [-np.cos(ANGLE), 0, 2 * np.sin(ANGLE), 31.5],
        [np.sin(ANGLE), 0, 2 * np.cos(ANGLE), -12.25],
        [0, -1.5, 0, 60.125],
        [0, 0, 0, 1],
    ]
)
TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
SUFFIXES = ("mgh", "mgz")


@pytest.fixture
def mgh(tmp_path, values):
    """Write a file byte by byte, so that its header may lie; `edit` maps offsets to bytes."""

    def write(name="T1.mgz", voxels=None, kind=3, frames=1, edit=None, cut=0, affine=OBLIQUE):
        voxels = values.astype(">f4") if voxels is None else voxels
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        center = affine[:3, :3] @ (np.array(voxels.shape[:3]) / 2) + affine[:3, 3]
        head = np.array([1, *voxels.shape[:3], frames, kind, 0], ">i4").tobytes() + np.array(1, ">i2").tobytes()
        head += np.concatenate([spacing, (affine[:3, :3] / spacing).T.ravel(), center]).astype(">f4").tobytes()
        content = bytearray(head.ljust(284, b"\0") + voxels.tobytes(order="F"))
        for place, data in (edit or {}).items():
            content[place : place + len(data)] = data
        content = bytes(content[: len(content) - cut])
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith("mgz") else content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_voxels(mgh, values, kind, suffix):
    voxels = (values if kind == 3 else np.clip(values, 0, 255)).astype(TYPES[kind])
    if kind:
        voxels[0, 0, 0], voxels[1, 2, 3] = (-5 if kind != 10 else 60000), 30000
    path = mgh(f"T1.{suffix}", voxels, kind)
    volume = read_mgh(path)
    assert (volume.values.dtype, volume.affine.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(volume.values, voxels.astype(np.float32))
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-5)
    raw = path.read_bytes()
    peer = nib.MGHImage.from_bytes(gzip.decompress(raw) if suffix == "mgz" else raw)
    np.testing.assert_array_equal(volume.values, peer.get_fdata())
    np.testing.assert_allclose(volume.affine, peer.affine, atol=1e-5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_this_package_writes(tmp_path, values, suffix):
    write_mgh(tmp_path / f"T1.{suffix}", values, OBLIQUE)
    volume = read_mgh(str(tmp_path / f"T1.{suffix}"))
    np.testing.assert_array_equal(volume.values, values)
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 5, 6), (7, 3, 4), (1, 5, 2)])
def test_surface_offset_is_what_nibabel_says(tmp_path, shape):
    write_mgh(tmp_path / "T1.mgz", np.random.default_rng(0).random(shape), OBLIQUE)
    volume, header = read_mgh(tmp_path / "T1.mgz"), nib.load(tmp_path / "T1.mgz").header
    # FreeSurfer: scanner coordinates = vox2ras inv(vox2ras_tkr) surface coordinates, whose origin goes to c_ras.
    link = header.get_affine() @ np.linalg.inv(header.get_vox2ras_tkr())
    np.testing.assert_allclose(surface_offset(volume), link[:3, 3], atol=1e-4)
    np.testing.assert_allclose(surface_offset(volume), header["Pxyz_c"], atol=1e-4)


def test_surface_offset_moves_with_the_volume(mgh):
    volume, step = read_mgh(mgh()), np.array([3.0, -7, 11.5])
    moved = volume.affine.copy()
    moved[:3, 3] += step
    np.testing.assert_allclose(surface_offset(volume._replace(affine=moved)), surface_offset(volume) + step)


HEADERS = {
    "version": ({0: b"\0\0\0\2"}, ("not a volume of FreeSurfer", "version 2, type 3")),
    "little endian": ({0: b"\1\0\0\0"}, ("version 16777216",)),
    "type": ({20: b"\0\0\0\2"}, ("version 1, type 2", "0, 1, 3, 4, 10")),
    "tensor": ({20: b"\0\0\0\6"}, ("type 6",)),
    "no place": ({28: b"\0\0"}, ("where it lies", "goodRASFlag 0")),
    "frames": ({16: b"\0\0\0\2"}, ("wrong dimensions", "(4, 5, 6, 2)", "one frame")),
    "no frame": ({16: b"\0\0\0\0"}, ("wrong dimensions",)),
    "size 0": ({4: b"\0\0\0\0"}, ("wrong dimensions", "(0, 5, 6, 1)")),
    "negative size": ({8: b"\xff\xff\xff\xff"}, ("wrong dimensions", "(4, -1, 6, 1)")),
    "huge size": ({12: b"\x7f\xff\xff\xff"}, ("wrong dimensions", "2147483647")),
    "larger size": ({12: b"\0\0\0\7"}, ("truncated", "844 bytes")),
    "spacing 0": ({30: bytes(4)}, ("where it lies", "spacing [0.0")),
    "negative spacing": ({30: np.array(-1, ">f4").tobytes()}, ("where it lies",)),
    "spacing 1e38": ({30: np.array(1e38, ">f4").tobytes()}, ("where it lies",)),
    "NaN spacing": ({30: b"\x7f\xc0\0\0"}, ("where it lies", "nan")),
    "signaling NaN": ({30: b"\x7f\x80\0\1"}, ("where it lies", "nan")),
    "infinite spacing": ({34: b"\x7f\x80\0\0"}, ("where it lies", "inf")),
    "infinite axis": ({42: b"\xff\x80\0\0"}, ("where it lies", "inf")),
    "no axes": ({42: bytes(36)}, ("where it lies",)),
    "NaN center": ({78: b"\x7f\xc0\0\0"}, ("where it lies",)),
    "infinite center": ({78: b"\x7f\x80\0\0"}, ("where it lies",)),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_cannot_be(mgh, refused, name, suffix):
    edit, words = HEADERS[name]
    path = mgh(f"T1.{suffix}", edit=edit)
    refused(InputFileError, lambda: read_mgh(path, subject="sub-1"), path, "sub-1", *words)


def test_several_frames_as_nibabel_writes_them(tmp_path, values, refused):
    write_mgh(tmp_path / "a.mgz", np.stack([values, values], -1), OBLIQUE)
    refused(InputFileError, lambda: read_mgh(tmp_path / "a.mgz"), "wrong dimensions", "(4, 5, 6, 2)")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("cut", "words"), [(1, "truncated"), (479, "truncated"), (481, "bytes"), (763, "bytes")])
def test_less_than_the_header_claims(mgh, refused, suffix, cut, words):
    path = mgh(f"T1.{suffix}", cut=cut)
    refused(InputFileError, lambda: read_mgh(path, subject="sub-1"), path, "sub-1", words)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_compressed_file_cut_short(mgh, refused, share):
    path = mgh()
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(InputFileError, lambda: read_mgh(path), path)
    path.write_bytes(b"")
    refused(InputFileError, lambda: read_mgh(path), path)


def test_no_flipped_bit_changes_a_compressed_volume_silently(mgh):
    path = mgh()
    whole, content = read_mgh(path), path.read_bytes()
    rng, caught = np.random.default_rng(0), 0
    bits = [
        *range(8 * 12),
        *rng.choice(8 * len(content), 150, replace=False),
        *range(8 * len(content) - 64, 8 * len(content)),
    ]
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = read_mgh(path)
        except CortexError:
            caught += 1
            continue
        # Time, system and comments of the wrapper say nothing of the image.
        assert bit < 8 * 10
        np.testing.assert_array_equal(found.values, whole.values)
        np.testing.assert_array_equal(found.affine, whole.affine)
    assert caught > 220


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(mgh, values, refused, bad):
    spoiled = values.astype(">f4")
    spoiled[1, 2, 3] = bad
    path = mgh(voxels=spoiled)
    refused(InputFileError, lambda: read_mgh(path, subject="sub-1"), path, "sub-1", "1 non-finite voxels", "of 120")
    refused(InputFileError, lambda: read_mgh(path, constant=True), "1 non-finite voxels")


def test_constant_images_only_where_a_grid_will_do(mgh, values, refused):
    path = mgh(voxels=np.full_like(values, 3).astype(">f4"))
    refused(InputFileError, lambda: read_mgh(path, subject="sub-1"), path, "sub-1", "constant", "3 in every voxel")
    assert (read_mgh(path, constant=True).values == 3).all()


def test_foreign_and_missing_files(tmp_path, mgh, nifti, refused):
    path = tmp_path / "none.mgz"
    refused(InputFileError, lambda: read_mgh(path, subject="sub-1"), path, "sub-1", "does not exist")
    (tmp_path / "b.mgz").write_bytes(nifti().read_bytes())
    refused(InputFileError, lambda: read_mgh(tmp_path / "b.mgz"), "not a volume of FreeSurfer")
    mgh("c.mgh").rename(tmp_path / "c.mgz")
    refused(InputFileError, lambda: read_mgh(tmp_path / "c.mgz"), "disagree on compression")
    mgh("d.mgz").rename(tmp_path / "d.mgh")
    refused(InputFileError, lambda: read_mgh(tmp_path / "d.mgh"), "disagree on compression")


def test_memory_limit(mgh, refused, monkeypatch):
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", "1e-6")
    refused(ResourceError, lambda: read_mgh(mgh("T1.mgh"), subject="sub-1"), "sub-1", "MONAI_CORTEX_MEMORY_GB")


def test_bytes_behind_the_voxels_are_not_looked_at(mgh, values):
    path = mgh("T1.mgh")
    # FreeSurfer writes scan parameters and tags there.
    path.write_bytes(path.read_bytes() + np.array([2300, 0.1, 3, 900], ">f4").tobytes() + b"\0\0\0\x14tags")
    np.testing.assert_array_equal(read_mgh(path).values, values)
