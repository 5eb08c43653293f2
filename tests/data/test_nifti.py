import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from monai_cortex.data.nifti import read_volume
from monai_cortex.errors import InputFileError, ResourceError

ENCODINGS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
SMALL = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
LIMITED = """
import resource, sys
from monai_cortex.data import read_volume
from monai_cortex.errors import CortexError
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, used + 200_000_000))
try:
    read_volume(sys.argv[1])
except CortexError as error:
    sys.exit(type(error).__name__)
"""


def as_image(kind, dtype=np.float32, name="a.nii.gz"):
    def save(folder):
        image = kind(SMALL.astype(dtype), np.diag([2.0, 2, 2, 1]), dtype=dtype)
        nib.save(image, folder / name)
        return folder / name

    return save


def big_endian(folder):
    image = nib.Nifti1Image(SMALL.astype(">i2"), np.diag([2.0, 2, 2, 1]), nib.Nifti1Header(endianness=">"))
    nib.save(image, folder / "a.nii.gz")
    assert (folder / "a.nii.gz").exists()
    return folder / "a.nii.gz"


def scaled(folder):
    image = nib.Nifti1Image(SMALL.astype(np.int16) * 2 + 20, np.diag([2.0, 2, 2, 1]))
    image.header.set_slope_inter(0.5, -10)
    nib.save(image, folder / "a.nii")
    content = bytearray((folder / "a.nii").read_bytes())
    content[352:] = (SMALL.astype("<i2") * 2 + 20).tobytes(order="F")
    content[112:120] = np.array([0.5, -10], "<f4").tobytes()
    (folder / "a.nii").write_bytes(content)
    return folder / "a.nii"


VALID = {
    **{f"{kind}": as_image(nib.Nifti1Image, kind) for kind in ENCODINGS},
    "uncompressed": as_image(nib.Nifti1Image, name="a.nii"),
    "upper case": as_image(nib.Nifti1Image, name="A.NII"),
    "pair": as_image(nib.Nifti1Pair, name="a.img"),
    "pair by its header": lambda folder: as_image(nib.Nifti1Pair, name="a.img")(folder).with_name("a.hdr"),
    "compressed pair": as_image(nib.Nifti1Pair, np.int16, "a.img.gz"),
    "NIfTI-2": as_image(nib.Nifti2Image),
    "NIfTI-2 pair": as_image(nib.Nifti2Pair, name="a.img"),
    "big-endian": big_endian,
    "scaled": scaled,
}


@pytest.mark.parametrize("name", VALID)
def test_every_valid_encoding_reads_the_same(tmp_path, name):
    volume = read_volume(VALID[name](tmp_path))
    assert volume.values.dtype == np.float32
    assert volume.affine.dtype == np.float64
    assert volume.values.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(volume.values, SMALL, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, np.diag([2.0, 2, 2, 1]))


def test_slope_of_zero_means_no_scaling(nifti, values):
    np.testing.assert_array_equal(read_volume(nifti(scl_slope=0, scl_inter=7)).values, values)


@pytest.mark.parametrize("name", ["with space.nii.gz", "-dash.nii.gz", "größe 脳.nii.gz", "x" * 240 + ".nii.gz"])
def test_odd_names_work(nifti, values, name):
    np.testing.assert_array_equal(read_volume(nifti(name)).values, values)


def test_later_changes_of_the_file_do_not_reach_the_values(nifti, values):
    path = nifti("a.nii")
    found = read_volume(path).values
    content = path.read_bytes()
    with path.open("r+b") as stream:
        stream.write(content[:352] + bytes(len(content) - 352))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("name", ["a.mgz", "a.nii.zip", "a", "anii"])
def test_other_names_are_refused(tmp_path, refused, name):
    (tmp_path / name).write_text("x")
    refused(InputFileError, lambda: read_volume(tmp_path / name), tmp_path / name)


def test_pair_without_its_header_is_refused(nifti, refused):
    path = nifti("a.img")
    refused(InputFileError, lambda: read_volume(path), path.with_name("a.hdr"), "does not exist")


@pytest.mark.parametrize(
    ("shape", "ndim", "expected"),
    [
        ((4, 5, 6, 1), 3, (4, 5, 6)),
        ((4, 5, 6, 1, 1), None, (4, 5, 6)),
        ((4, 5, 6, 2, 1), 4, (4, 5, 6, 2)),
        ((4, 5, 6, 1), 4, (4, 5, 6, 1)),
        ((4, 5, 1), 3, (4, 5, 1)),
        ((4, 5, 6, 2), None, (4, 5, 6, 2)),
    ],
)
def test_trailing_axes_of_size_one_are_dropped(nifti, shape, ndim, expected):
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.testing.assert_array_equal(read_volume(nifti(voxels=voxels), ndim=ndim).values, voxels.reshape(expected))


@pytest.mark.parametrize(
    ("shape", "ndim"), [((4, 5), None), ((4, 5), 3), ((4, 5, 6, 2), 3), ((4, 5, 6), 4), ((2, 3, 4, 1, 3), None)]
)
def test_wrong_number_of_dimensions(nifti, refused, shape, ndim):
    path = nifti(voxels=np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    error = refused(InputFileError, lambda: read_volume(path, ndim=ndim), path, f"{len(shape)} dimensions")
    assert str(ndim or "3 or 4") in error.args[4]


@pytest.mark.parametrize("value", [0, 7])
def test_constant_image(nifti, refused, value):
    path = nifti(voxels=np.full((3, 4, 5), value, np.float32))
    refused(InputFileError, lambda: read_volume(path), path, "constant")
    assert (read_volume(path, constant=True).values == value).all()


def test_non_finite_voxels(nifti, refused, values, caplog):
    values[0, 0, :3] = np.nan, np.inf, -np.inf
    path = nifti(voxels=values)
    refused(InputFileError, lambda: read_volume(path), path, "3 non-finite", "1 NaN and 2 infinite of 120")
    np.testing.assert_array_equal(read_volume(path, nonfinite="keep").values, values)
    assert not caplog.records
    masked = read_volume(path, nonfinite="mask").values
    np.testing.assert_array_equal(masked, np.where(np.isfinite(values), values, 0))
    assert "3 non-finite" in caplog.text


def test_values_beyond_single_precision_are_not_finite(nifti, refused, values):
    path = nifti(voxels=values.astype(np.float64) * 1e40)
    refused(InputFileError, lambda: read_volume(path), path, "120 non-finite")


@pytest.mark.parametrize("wrong", [{"nonfinite": "drop"}, {"prefer": "best"}])
def test_unknown_policies(nifti, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        read_volume(nifti(), **wrong)


def test_image_over_the_memory_limit(nifti, refused, monkeypatch):
    path = nifti("a.nii")
    monkeypatch.setenv("MONAI_CORTEX_MEMORY_GB", "1e-6")
    refused(ResourceError, lambda: read_volume(path), path, "needs 3,360 bytes", "MONAI_CORTEX_MEMORY_GB")


@pytest.mark.parametrize(
    ("claim", "content", "error"),
    [((3000, 3000, 3000), (100, 100, 5), "InputFileError"), ((1000, 1000, 60), (1000, 1000, 60), "ResourceError")],
)
def test_huge_images_under_a_memory_limit(nifti, claim, content, error):
    def edit(header):
        header["dim"][1:4] = claim
        header["datatype"] = 2

    path = nifti(voxels=np.zeros(content, np.uint8), edit=edit)
    found = subprocess.run([sys.executable, "-c", LIMITED, path], check=False, capture_output=True, text=True)
    assert found.stderr.strip() == error
