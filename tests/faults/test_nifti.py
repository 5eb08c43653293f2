"""Volumes, NIfTI and MGH: every condition of a damaged, foreign or contradictory image, in every form it is read in."""

import gzip
import logging
import os
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data import check_dataset, read_diffusion, read_mgh, read_volume, write_volume
from monai_cortex.errors import InputFileError

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
VALUES = np.random.default_rng(0).normal(100, 20, (12, 10, 8)).astype("<f4")
KINDS = {1: nib.Nifti1Header, 2: nib.Nifti2Header}
NIFTI = ("a.nii", "a.nii.gz", "a.img", "a.img.gz")
ALL = (*NIFTI, "a.mgh", "a.mgz")
ZIPPED = tuple(name for name in ALL if name.endswith(("gz", "mgz")))
OPTION = "MONAI_CORTEX_MEMORY_GB"


def nifti(values=VALUES, version=1, order="<", edit=None, single=True, **fields):
    """Header and voxels as bytes; fields of the header may lie."""
    header = KINDS[version](endianness=order, check=False)
    header.set_data_dtype(values.dtype)
    header.set_data_shape(values.shape)
    header.set_sform(AFFINE, 1)
    header["pixdim"][1:4], header["xyzt_units"] = (2, 2, 3), 2
    header["magic"] = {1: b"n+1" if single else b"ni1", 2: b"n+2" if single else b"ni2"}[version]
    header["vox_offset"] = header.sizeof_hdr + 4 if single else 0
    for field, value in fields.items():
        header[field] = value
    if edit:
        edit(header)
    return header.binaryblock + bytes(4 * single), values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")


def mgh(values=VALUES, shape=None, kind=3, frames=1, placed=1, spacing=(2, 2, 3), axes=None, **_):
    """Header and voxels as bytes."""
    axes = np.diag([-1.0, 1, 1]) if axes is None else axes
    numbers = [1, *(shape or values.shape[:3]), frames, kind, 0]
    head = np.array(numbers, ">i4").tobytes() + np.array(placed, ">i2").tobytes()
    head += np.concatenate([spacing, np.ravel(axes), [0, 0, 0]]).astype(">f4").tobytes()
    return head.ljust(284, b"\0"), values.astype(">f4" if kind == 3 else values.dtype).tobytes(order="F")


def put(folder, name, parts, before=lambda content: content, after=lambda content: content):
    """Write an image; `before` and `after` spoil the bytes before and after compression."""
    head, voxels = parts
    pair = ".img" in name
    content = before(voxels if pair else head + voxels)
    path = folder / name
    zipped = name.endswith(("gz", "mgz"))
    path.write_bytes(after(gzip.compress(content, mtime=0) if zipped else content))
    if pair:
        twin = path.with_name(name.replace(".img", ".hdr"))
        twin.write_bytes(gzip.compress(head, mtime=0) if zipped else head)
    return path


def parts(name, values=VALUES, **changes):
    return mgh(values, **changes) if ".mg" in name else nifti(values, single=".img" not in name, **changes)


def read(path, **options):
    return read_mgh(path, **options) if ".mg" in Path(path).name else read_volume(path, **options)


def flip(place):
    return lambda content: content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@pytest.mark.parametrize("name", ALL)
def test_sound_images_are_read(tmp_path, name):
    found = read(put(tmp_path, name, parts(name)))
    np.testing.assert_array_equal(found.values, VALUES)
    np.testing.assert_allclose(np.abs(found.affine[:3, :3]), np.abs(AFFINE[:3, :3]))


def whole_half(content):
    return content[: len(content) // 2]


STREAMS = {
    "truncated compressed file": (ZIPPED, whole_half, "truncated"),
    "truncated to its first bytes": (ZIPPED, lambda content: content[:12], "truncated"),
    "without its trailer": (ZIPPED, lambda content: content[:-8], "gzip trailer missing"),
    "with a part of its trailer": (ZIPPED, lambda content: content[:-3], "gzip trailer missing"),
    "bit-flipped payload": (ZIPPED, lambda content: flip(len(content) // 2)(content), "CRC"),
    "bit-flipped header in the payload": (ZIPPED, flip(25), "CRC"),
    "bit-flipped checksum": (ZIPPED, flip(-8), "CRC"),
    "bit-flipped length": (ZIPPED, flip(-4), "CRC"),
    "junk behind the stream": (ZIPPED, lambda content: content + b"junk", "damaged"),
    "second member cut": (ZIPPED, lambda content: content + content[:40], ""),
    "truncated uncompressed file": (("a.nii", "a.img", "a.mgh"), lambda content: content[:-100], "holds"),
    "empty file": (ALL, lambda content: b"", "empty"),
    "web page": (ALL, lambda content: b"<!DOCTYPE html>\n<html><body>404</body></html>", "looks like a web page"),
    "web page, compressed": (ZIPPED, lambda content: gzip.compress(b" <html>404</html>"), "web page"),
    "pointer of Git LFS": (ALL, lambda content: b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    "pointer of git-annex": (ALL, lambda content: b"/annex/objects/MD5E-s1--0.nii.gz\n", "datalad get"),
    "pointer of DVC": (ALL, lambda content: b"outs:\n- md5: 0\n", "dvc pull"),
    "compressed under a plain name": (("a.nii", "a.img", "a.mgh"), gzip.compress, "disagree on compression"),
    "plain under a compressed name": (ZIPPED, gzip.decompress, "disagree on compression"),
    "other compression": (ZIPPED, lambda content: b"BZh9" + content, "disagree on compression"),
}


@pytest.mark.parametrize(("condition", "name"), [(c, name) for c, (names, *_) in STREAMS.items() for name in names])
def test_damaged_streams(refused, tmp_path, condition, name):
    _, after, word = STREAMS[condition]
    if condition == "web page, compressed" and ".img" in name:
        pytest.skip("voxels without a header may be anything")
    path = put(tmp_path, name, parts(name), after=after)
    refused(InputFileError, lambda: read(path, subject="sub-1"), path, "sub-1", word)


SPECIAL = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "named pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "looping link": lambda path: path.symlink_to(path.name),
    "link to a folder": lambda path: path.symlink_to(path.parent),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "absent annexed content": lambda path: path.symlink_to(".git/annex/objects/aa/MD5E-s1--0"),
}


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.img", "a.hdr", "a.mgz"])
@pytest.mark.parametrize("condition", SPECIAL)
def test_no_regular_file(refused, tmp_path, condition, name):
    if name in ("a.img", "a.hdr"):
        put(tmp_path, "a.img", parts("a.img"))
        (tmp_path / name).unlink()
    SPECIAL[condition](tmp_path / name)
    word = "does not exist" if condition == "missing" else "not a regular file"
    refused(InputFileError, lambda: read(tmp_path / name), tmp_path / name, word)


def form(sform=None, qform=None, **fields):
    def edit(header):
        header.set_sform(sform, 0 if sform is None else 1)
        header.set_qform(qform, 0 if qform is None else 1)
        for field, value in fields.items():
            header[field] = value

    return edit


def spoiled(value, *place):
    affine = AFFINE.copy()
    affine[place] = value
    return affine


MIRRORED = np.diag([-1.0, 1, 1, 1]) @ AFFINE
SCALED = AFFINE @ np.diag([1.0, 1, 1.2, 1])
MOVED = AFFINE + np.eye(4, k=3) * 5
TURNED = AFFINE @ np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def bad_qform(header):
    form(None, AFFINE)(header)
    header["quatern_b"] = np.nan


def flat(header):
    form(None, AFFINE)(header)
    header["pixdim"][2] = 0


HEADERS = {
    "wrong magic": ({"magic": b"n1+"}, "wrong magic"),
    "no magic": ({"magic": b""}, "wrong magic"),
    "magic of the other form": (None, "magic"),
    "implausible header size": ({"sizeof_hdr": 384}, "header-size"),
    "negative dimension": ({"dim": [3, 12, -10, 8, 1, 1, 1, 1]}, "dim"),
    "zero dimension": ({"dim": [3, 12, 0, 8, 1, 1, 1, 1]}, "dim"),
    "no dimensions": ({"dim": [0, 12, 10, 8, 1, 1, 1, 1]}, "dim"),
    "eight dimensions": ({"dim": [8, 12, 10, 8, 1, 1, 1, 1]}, "dim"),
    "far more data than there are": ({"dim": [3, 3000, 3000, 3000, 1, 1, 1, 1]}, "claims"),
    "a slice more than there is": ({"dim": [3, 12, 10, 9, 1, 1, 1, 1]}, "claims"),
    "unknown data type": ({"datatype": 3}, "dtype"),
    "data type of no meaning": ({"datatype": -5}, "dtype"),
    "offset inside the header": ({"vox_offset": -8}, "vox_offset"),
    "offset behind the end": ({"vox_offset": 2e9}, "holds"),
    "infinite scale": ({"scl_slope": np.inf}, "scl_slope"),
    "scale without a number behind it": ({"scl_slope": 2, "scl_inter": np.nan}, "scl_slope"),
    "singular sform": ({"edit": form(spoiled(0, 0, 0))}, "sform affine is not invertible"),
    "sform with NaN": ({"edit": form(spoiled(np.nan, 1, 3))}, "not invertible"),
    "sform with an infinite number": ({"edit": form(spoiled(np.inf, 1, 1))}, "not invertible"),
    "singular sform beside a good qform": ({"edit": form(spoiled(0, 0, 0), AFFINE)}, "not invertible"),
    "qform with NaN": ({"edit": bad_qform}, "qform affine is not invertible"),
    "qform without voxel size": ({"edit": flat}, "qform affine is not invertible"),
    "sform and qform mirror each other": ({"edit": form(MIRRORED, AFFINE)}, "sform and qform disagree"),
    "sform and qform of other scale": ({"edit": form(SCALED, AFFINE)}, "sform and qform disagree"),
    "sform and qform at other places": ({"edit": form(MOVED, AFFINE)}, "sform and qform disagree"),
    "sform and qform turned": ({"edit": form(TURNED, AFFINE)}, "sform and qform disagree"),
    "no orientation codes": ({"edit": form()}, "no orientation"),
    "unit of length makes no brain": ({"xyzt_units": 1}, "unit of length"),
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", NIFTI)
@pytest.mark.parametrize("condition", HEADERS)
def test_headers_that_cannot_be(refused, tmp_path, condition, name, version):
    changes, word = HEADERS[condition]
    head, voxels = parts(name, version=version, **(changes or {}))
    if changes is None:
        head = parts("a.img" if ".nii" in name else "a.nii", version=version)[0]
    path = put(tmp_path, name, (head, voxels))
    place = path.with_name(path.name.replace(".img", ""))
    refused(InputFileError, lambda: read(path, subject="sub-1"), str(place).removesuffix(".gz"), "sub-1", word)


MGH = {
    "wrong version": ({"before": flip(3)}, "MGH"),
    "unknown type": ({"kind": 7}, "MGH"),
    "negative dimension": ({"shape": (12, -10, 8)}, "dimensions"),
    "zero dimension": ({"shape": (12, 0, 8)}, "dimensions"),
    "far more data than there are": ({"shape": (30000, 30000, 30000)}, "claims"),
    "several frames": ({"frames": 4}, "dimensions"),
    "no orientation": ({"placed": 0}, "no orientation"),
    "zero spacing": ({"spacing": (2, 0, 3)}, "does not say where it lies"),
    "infinite spacing": ({"spacing": (2, np.inf, 3)}, "does not say where it lies"),
    "singular axes": ({"axes": np.ones((3, 3)) / np.sqrt(3)}, "does not say where it lies"),
    "axes with NaN": ({"axes": np.full((3, 3), np.nan)}, "does not say where it lies"),
    "axes of another length": ({"axes": 2 * np.eye(3)}, "does not say where it lies"),
}


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
@pytest.mark.parametrize("condition", MGH)
def test_mgh_headers_that_cannot_be(refused, tmp_path, condition, name):
    changes, word = MGH[condition]
    changes = dict(changes)
    before = changes.pop("before", lambda content: content)
    path = put(tmp_path, name, parts(name, **changes), before=before)
    refused(InputFileError, lambda: read(path, subject="sub-1"), path, "sub-1", word)


def with_value(*bad):
    values = VALUES.copy()
    values.flat[7 : 7 + len(bad)] = bad
    return values


VOXELS = {
    "one NaN": (with_value(np.nan), "1 non-finite"),
    "one infinite": (with_value(np.inf), "1 non-finite"),
    "minus infinity": (with_value(-np.inf), "1 non-finite"),
    "opposite infinities": (with_value(np.inf, -np.inf), "2 non-finite"),
    "NaN everywhere": (np.full_like(VALUES, np.nan), "960 non-finite"),
    "all zero": (np.zeros_like(VALUES), "constant"),
    "constant": (np.full_like(VALUES, 7), "constant"),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("condition", VOXELS)
def test_voxels_that_carry_nothing(refused, tmp_path, condition, name):
    values, word = VOXELS[condition]
    path = put(tmp_path, name, parts(name, values))
    refused(InputFileError, lambda: read(path, subject="sub-1"), path, "sub-1", word)


@pytest.mark.parametrize("dtype", ["<c8", "<c16", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_that_are_no_real_numbers(refused, tmp_path, dtype):
    path = put(tmp_path, "a.nii.gz", nifti(np.ones((12, 10, 8), dtype)))
    refused(InputFileError, lambda: read(path), path, "dtype")


@pytest.mark.parametrize(
    ("shape", "ndim"), [((12, 10), None), ((12,), None), ((12, 10, 8, 3), 3), ((12, 10, 8), 4), ((4, 3, 2, 2, 2), None)]
)
def test_wrong_number_of_dimensions(refused, tmp_path, shape, ndim):
    path = put(tmp_path, "a.nii", nifti(np.arange(np.prod(shape), dtype="<f4").reshape(shape)))
    refused(InputFileError, lambda: read(path, ndim=ndim), path, "ndim", f"{len(shape)} dimensions")


def test_trailing_dimension_of_one_is_accepted(tmp_path):
    path = put(tmp_path, "a.nii", nifti(VALUES[..., None, None]))
    np.testing.assert_array_equal(read(path, ndim=3).values, VALUES)


@pytest.mark.parametrize("pixdim", [0, -2, np.nan, np.inf])
def test_sform_decides_where_pixdim_is_invalid(tmp_path, pixdim):
    fields = {"edit": lambda header: header["pixdim"].__setitem__(slice(1, 4), pixdim), "qform_code": 1}
    np.testing.assert_array_equal(read(put(tmp_path, "a.nii", nifti(**fields))).affine, AFFINE)


def test_shear_is_honored(tmp_path):
    sheared = AFFINE @ np.array([[1, 0.3, 0, 0], [0, 1, 0.2, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    found = read(put(tmp_path, "a.nii", nifti(edit=form(sheared))))
    np.testing.assert_allclose(found.affine, sheared, rtol=1e-6)
    write_volume(tmp_path / "out.nii.gz", found.values, found.affine)
    again, peer = read(tmp_path / "out.nii.gz"), nib.load(tmp_path / "out.nii.gz")
    corner = np.array([11, 9, 7, 1.0])
    for affine in (again.affine, peer.affine):
        assert np.linalg.norm((affine - sheared) @ corner) < 0.1


@pytest.mark.parametrize("prefer", ["sform", "qform"])
def test_the_preferred_affine_is_taken_and_written(tmp_path, prefer):
    found = read(put(tmp_path, "a.nii", nifti(edit=form(MIRRORED, AFFINE))), prefer=prefer)
    np.testing.assert_allclose(found.affine, {"sform": MIRRORED, "qform": AFFINE}[prefer], atol=1e-5)
    write_volume(tmp_path / "out.nii", found.values, found.affine)
    np.testing.assert_allclose(read(tmp_path / "out.nii").affine, found.affine, atol=1e-5)


ENCODINGS = [np.dtype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")]


@pytest.mark.parametrize("name", NIFTI)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
def test_unusual_encodings_read_the_same(tmp_path, name, order, version):
    numbers = np.arange(960).reshape(VALUES.shape) % 120
    for dtype in ENCODINGS:
        content = parts(name, numbers.astype(dtype), order=order, version=version, scl_slope=0.5, scl_inter=-3)
        np.testing.assert_allclose(read(put(tmp_path, name, content)).values, 0.5 * numbers - 3, rtol=1e-6)


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 10])
def test_every_type_of_mgh_reads_the_same(tmp_path, kind):
    numbers = (np.arange(960).reshape(VALUES.shape) % 120).astype(
        {0: "u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}[kind]
    )
    np.testing.assert_array_equal(read(put(tmp_path, "a.mgz", mgh(numbers, kind=kind))).values, numbers)


LONG = "/".join(["d" * 200] * 10)


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "-leading dash",
        "größe 脳",
        "x" * 240,
        LONG,
        "new\nline",
        "a\tb",
        b"\xff\xfe".decode("utf-8", "surrogateescape"),
    ],
)
def test_odd_paths_work_or_are_named(refused, tmp_path, name, monkeypatch):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)
    put(tmp_path, f"{name}.nii.gz", nifti())
    np.testing.assert_array_equal(read(f"{name}.nii.gz").values, VALUES)
    put(tmp_path, f"{name}.nii", (b"", b"x" * 400))
    refused(InputFileError, lambda: read(f"{name}.nii"), "wrong magic")
    with pytest.raises(InputFileError) as caught:
        read(tmp_path / f"{name}.nii")
    str(caught.value).encode()


@pytest.mark.parametrize("name", ["x" * 300 + ".nii", "nul\0byte.nii", "file/below.nii"])
def test_impossible_paths_are_named(refused, tmp_path, name):
    (tmp_path / "file").write_text("x")
    refused(InputFileError, lambda: read(tmp_path / name), "file" if "/" in name else name[:3])


@pytest.mark.parametrize("name", ZIPPED)
def test_members_and_padding_read_the_same(tmp_path, name):
    def after(content):
        whole = gzip.decompress(content)
        return gzip.compress(whole[:1000]) + gzip.compress(b"") + gzip.compress(whole[1000:]) + bytes(600)

    np.testing.assert_array_equal(read(put(tmp_path, name, parts(name), after=after)).values, VALUES)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_stands_behind_the_voxels_is_logged_or_refused(refused, tmp_path, name, caplog):
    path = put(tmp_path, name, nifti(), before=lambda content: content + b"junk")
    with caplog.at_level(logging.WARNING, "monai_cortex"):
        np.testing.assert_array_equal(read(path).values, VALUES)
    assert f"{name}: 4 bytes behind the voxels are not read" in caplog.messages
    path = put(tmp_path, name, nifti(), before=lambda content: content + bytes(1 << 25))
    refused(InputFileError, lambda: read(path), path, "far more than its header claims")


@pytest.mark.parametrize("values", [VALUES, (VALUES > 100).astype("u1")], ids=["noise", "labels"])
@pytest.mark.parametrize("name", ZIPPED)
def test_no_flipped_bit_changes_an_image(tmp_path, name, values, rounds):
    path = put(
        tmp_path, name, mgh(values, kind=3 if values.itemsize > 1 else 0) if "mg" in name[2:4] else parts(name, values)
    )
    files = [path, *path.parent.glob("*.hdr.gz")]
    truth, rng = read(path), np.random.default_rng(0)
    refusals = 0
    for number in range(rounds(25, 200)):
        file = files[number % len(files)]
        content = file.read_bytes()
        place, bit = rng.integers(len(content)), 1 << int(rng.integers(8))
        file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            found = read(path)
        except InputFileError:
            refusals += 1
        else:  # time stamp and name in the wrapper carry nothing
            assert found.values.tobytes() == truth.values.tobytes()
            assert found.affine.tobytes() == truth.affine.tobytes()
        file.write_bytes(content)
    assert refusals > 0.8 * rounds(25, 200)


def test_one_bad_voxel_of_a_scan_is_left_out(refused, tmp_path):
    signal = np.random.default_rng(1).uniform(50, 100, (6, 5, 4, 8)).astype("<f4")
    signal[1, 2, 3, 5], signal[4, 4, 0, 0] = np.nan, np.inf
    item = {"subject": "sub-1", "dwi": str(put(tmp_path, "dwi.nii.gz", nifti(signal)))}
    directions = np.random.default_rng(2).normal(size=(8, 3))
    directions[0] = 0
    table = np.c_[directions / np.maximum(np.linalg.norm(directions, axis=1), 1e-9)[:, None], [0, *[1000] * 7]]
    np.savetxt(tmp_path / "dwi.b", table)
    item |= {"gradients": str(tmp_path / "dwi.b")}
    scan = read_diffusion(item, "mask")
    assert scan.nonfinite == 2
    assert np.isfinite(scan.signal).all()
    refused(InputFileError, lambda: read_diffusion(item), "2 non-finite")


BOMB = """
import os, resource, sys, time
from pathlib import Path
from monai_cortex.data import read_mgh, read_volume
from monai_cortex.errors import CortexError
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for line in os.environ["NAMES"].split():
    begin = time.monotonic()
    try:
        (read_mgh if ".mg" in line else read_volume)(line, subject="sub-1")
    except CortexError as error:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
        words = [word for word in ("claims", "needs", "MONAI_CORTEX_MEMORY_GB", "far more") if word in str(error)]
        print(Path(line).name, type(error).__name__, *words, sep="|")
        print(f"{Path(line).name} {time.monotonic() - begin:.1f} s {grown:.0f} MB", file=sys.stderr)
        assert grown < 200, grown
"""


def zeros(path, head, size, members=1):
    """A compressed file of a header and zeros, made without holding them."""
    if members > 1:
        path.write_bytes(gzip.compress(head) + gzip.compress(bytes(1 << 24)) * (size >> 24))
        return
    packer, block = zlib.compressobj(1, wbits=31), bytes(1 << 24)
    with path.open("wb") as file:
        file.writelines([packer.compress(head), *(packer.compress(block) for _ in range(size >> 24)), packer.flush()])


def test_huge_volumes_in_little_memory(tmp_path, limited, rounds):
    """Claims that are lies, and volumes that hold what they claim, in a process of 4 GB."""
    size = rounds(1 << 28, 1 << 32)
    claim = {"dim": [3, 20000, 20000, 20000, 1, 1, 1, 1], "datatype": 2}
    expected = {
        "lie.nii": "InputFileError|claims",
        "lie.nii.gz": "InputFileError|claims",
        "lie.mgz": "InputFileError|claims",
        "genuine.nii.gz": "ResourceError|needs|MONAI_CORTEX_MEMORY_GB",
        "members.nii.gz": "ResourceError|needs|MONAI_CORTEX_MEMORY_GB",
        "behind.nii.gz": "InputFileError|claims|far more",
    }
    put(tmp_path, "lie.nii", nifti(**claim))
    (tmp_path / "lie.nii.gz").write_bytes(gzip.compress((tmp_path / "lie.nii").read_bytes()))
    put(tmp_path, "lie.mgz", mgh(shape=(30000, 30000, 30000)))
    genuine = nifti(dim=[3, 1 << 12, 1 << 12, size >> 24, 1, 1, 1, 1], datatype=2)[0]
    zeros(tmp_path / "genuine.nii.gz", genuine, size)
    zeros(tmp_path / "members.nii.gz", genuine, size, members=2)
    zeros(tmp_path / "behind.nii.gz", nifti()[0], 1 << 27)
    names = " ".join(str(tmp_path / name) for name in expected)
    limits = {OPTION: str(size / 2e9), "NAMES": names}
    found = limited(BOMB, seconds=60, memory=8 << 30, environment=limits)
    assert found.out.splitlines() == [f"{name}|{answer}" for name, answer in expected.items()], found.err
    assert found.code == 0
    assert max(float(line.split()[-4]) for line in found.err.splitlines()) < 30


def write_pair(place, spoil=None):
    place.mkdir(parents=True)
    for name, seed in (("fixed", 0), ("moving", 1)):
        values = np.random.default_rng(seed).normal(100, 20, (12, 10, 8)).astype("<f4")
        put(place, f"{name}.nii.gz", nifti(values))
    if spoil:
        spoil(place / "fixed.nii.gz")


def test_a_bad_image_costs_no_other_subject(tmp_path):
    """Each fault in a subject of its own, with good ones around: one error for each, of five lines at most."""
    write_pair(tmp_path / "sub-good1")
    write_pair(tmp_path / "sub-good2")
    streams = [after for names, after, _ in STREAMS.values() if "a.nii.gz" in names]
    faults = {f"stream-{number}": after for number, after in enumerate(streams)}
    for name, after in faults.items():
        write_pair(tmp_path / f"sub-{name}", lambda path, after=after: path.write_bytes(after(path.read_bytes())))
    for number, make in enumerate(SPECIAL.values()):
        write_pair(tmp_path / f"sub-special-{number}", lambda path, make=make: (path.unlink(), make(path)))
    for number, (values, _) in enumerate(VOXELS.values()):
        write_pair(tmp_path / f"sub-voxels-{number}", lambda path, v=values: put(path.parent, path.name, nifti(v)))
    count, errors = check_dataset("fsdiffreg_cardiac", tmp_path)
    named = {error.args[2] for error in errors}
    assert count == len(list(tmp_path.iterdir()))
    assert {place.name for place in tmp_path.iterdir()} - named == {"sub-good1", "sub-good2"}
    assert all(len(str(error).splitlines()) <= 5 for error in errors)
    assert {type(error) for error in errors} == {InputFileError}
