import base64
import builtins
import gzip
import pickle
import zlib
from pathlib import Path

import nibabel as nib
import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import pytest
import torch

from monai_cortex.data.freesurfer import write_morph, write_surface_geometry
from monai_cortex.errors import CortexError
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh

LAS = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


@pytest.fixture
def affine():
    return LAS.copy()


@pytest.fixture
def values():
    """Voxels with four different edges, so that no two axes can be mistaken for each other."""
    return np.random.default_rng(0).normal(100, 20, (4, 5, 6)).astype(np.float32)


@pytest.fixture
def nifti(tmp_path, values):
    """Write a NIfTI-1 file byte by byte, so that its header may lie; `edit` changes the header's fields."""

    def write(name="image.nii.gz", voxels=values, edit=None, edit_bytes=None, **fields):
        header = nib.Nifti1Header(endianness="<")
        header.set_data_dtype(voxels.dtype)
        header.set_data_shape(voxels.shape)
        header.set_sform(LAS, 1)
        header["vox_offset"], header["magic"], header["xyzt_units"] = 352, b"n+1", 2
        header["pixdim"][1:4] = 2, 2, 3
        for field, value in fields.items():
            header[field] = value
        if edit is not None:
            edit(header)
        content = header.binaryblock + bytes(4) + voxels.astype(voxels.dtype.newbyteorder("<")).tobytes(order="F")
        content = content if edit_bytes is None else edit_bytes(content)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def refused():
    """Call, and expect an error of exactly this class that keeps the contract and holds these words."""

    def check(kind, call, *words):
        with pytest.raises(CortexError) as caught:
            call()
        error, text = caught.value, str(caught.value)
        assert type(error) is kind, text
        for word in words:
            assert str(word) in text
        assert len(text.splitlines()) <= 5
        assert "remedy: " in text
        assert str(pickle.loads(pickle.dumps(error))) == text
        return error

    return check


@pytest.fixture
def subject(tmp_path, nifti):
    """Write one valid subject: 2 volumes at b = 0, 8 at 1000; returns its folder."""

    def write(name="sub-1", voxels=None, mask=None):
        rng = np.random.default_rng(1)
        voxels = rng.uniform(50, 100, (4, 5, 6, 10)).astype(np.float32) if voxels is None else voxels
        nifti(f"{name}/dwi.nii.gz", voxels)
        if mask is not None:
            nifti(f"{name}/mask.nii.gz", mask)
        vectors = rng.normal(size=(10, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[:2] = 0
        np.savetxt(tmp_path / name / "dwi.bval", [[0.0, 5.0, *[1000.0] * 8]])
        np.savetxt(tmp_path / name / "dwi.bvec", vectors.T, fmt="%.12f")
        return tmp_path / name

    return write


@pytest.fixture
def ball():
    """A sphere as files hold it: radius 100 mm, 162 vertices, 320 faces."""
    sphere = icosphere(2)
    # What float32 can hold, so that files give back exactly this.
    return Mesh((100 * sphere.vertices).float().double(), sphere.faces)


@pytest.fixture
def volume_info():
    """What FreeSurfer says of the volume behind a surface, as nibabel names it."""
    axes = {"xras": [-1.0, 0, 0], "yras": [0.0, 0, -1], "zras": [0.0, 1, 0], "cras": [5.399413585662842, -18.1, 1 / 3]}
    texts = {"valid": "1  # volume info valid", "filename": "../mri/filled-pretess255.mgz"}
    numbers = {"volume": np.array([256, 256, 256]), "voxelsize": np.ones(3)}
    return {"head": np.array([2, 0, 20]), **texts, **numbers, **{key: np.array(axis) for key, axis in axes.items()}}


@pytest.fixture
def gifti_array():
    """XML of one data array, whose attributes may lie; `text` stands in for its encoded numbers."""

    def write(values, intent, encoding="GZipBase64Binary", text=None, inside="", **attributes):
        values = np.asarray(values)
        packed = values.tobytes() if encoding == "Base64Binary" else zlib.compress(values.tobytes())
        plain = " ".join(map(repr, values.ravel().tolist()))
        text = (plain if encoding == "ASCII" else base64.b64encode(packed).decode()) if text is None else text
        known = {"Intent": f"NIFTI_INTENT_{intent}", "DataType": f"NIFTI_TYPE_{values.dtype.name.upper()}"}
        known |= {"ArrayIndexingOrder": "RowMajorOrder", "Dimensionality": values.ndim, "Encoding": encoding}
        known |= {f"Dim{axis}": size for axis, size in enumerate(values.shape)}
        known |= {"Endian": "LittleEndian", "ExternalFileName": "", "ExternalFileOffset": "", **attributes}
        words = " ".join(f'{name}="{value}"' for name, value in known.items() if value is not None)
        return f"<DataArray {words}>{inside}<Data>{text}</Data></DataArray>"

    return write


@pytest.fixture
def gifti(tmp_path, ball, gifti_array):
    """Write a GIFTI file of data arrays in XML; without arrays, the sphere."""

    def write(name="lh.sphere.surf.gii", *arrays, doctype="", inside="", count=None):
        if not arrays:
            points = gifti_array(ball.vertices.numpy().astype("<f4"), "POINTSET")
            arrays = points, gifti_array(ball.faces.numpy().astype("<i4"), "TRIANGLE")
        number = len([array for array in arrays if "<DataArray" in array]) if count is None else count
        body = f'<GIFTI Version="1.0" NumberOfDataArrays="{number}">{inside}{"".join(arrays)}</GIFTI>'
        content = f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{body}\n'.encode()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def freesurfer(tmp_path, ball, volume_info):
    """Write one subject as FreeSurfer does; returns its folder."""

    def write(name="sub-1", sides=("lh", "rh"), extra=True):
        place = tmp_path / name
        for sign, side in ((1, "lh"), (-1, "rh")):
            if side not in sides:
                continue
            write_surface_geometry(place / "surf" / f"{side}.sphere", ball.vertices, ball.faces, volume_info)
            for number, feature in enumerate(("sulc", "curv", "inflated.H"), 1):
                write_morph(place / "surf" / f"{side}.{feature}", sign * number * ball.vertices[:, 0])
            if extra:
                write_surface_geometry(
                    place / "surf" / f"{side}.inflated", ball.vertices * torch.tensor([20.0, 80, 30]), ball.faces
                )
                write_surface_geometry(place / "surf" / f"{side}.white", ball.vertices / 2, ball.faces)
                (place / "label").mkdir(exist_ok=True)
                labels = np.arange(162) % 3 - 1
                nibabel_freesurfer.write_annot(
                    place / "label" / f"{side}.aparc.annot",
                    labels,
                    np.array([[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]),
                    ["a", "b"],
                )
        return place

    return write


@pytest.fixture
def without_package(monkeypatch):
    """Make a package look as if it were not installed."""

    def hide(package):
        load = builtins.__import__

        def without(name, *arguments):
            if name.startswith(package):
                raise ImportError(name)
            return load(name, *arguments)

        monkeypatch.setattr(builtins, "__import__", without)

    return hide


@pytest.fixture(scope="session")
def heart():
    """Labels of a heart in short-axis slices (24, 20, 6): myocardium around LV, RV a crescent beside it."""
    i, j = np.meshgrid(np.arange(24), np.arange(20), indexing="ij")
    left, right = np.hypot(i - 14.0, j - 10.0), np.hypot((i - 7.0) / 1.2, j - 10.0)
    slices = np.where(left < 3.6, 3, np.where(left < 6, 2, np.where(right < 5, 1, 0)))
    labels = np.repeat(slices[..., None], 6, 2).astype(np.uint8)
    labels[..., [0, -1]] = 0
    return labels


@pytest.fixture
def heart_pair(nifti, heart):
    """Write a pair as <name>/fixed.nii.gz and so on, labels too, moving a bit larger; `replace` gives other voxels."""

    def write(name="sub-1", names=("fixed", "moving", "fixed_seg", "moving_seg"), replace=(), **fields):
        noise = np.random.default_rng(0).normal(0, 5, (2, *heart.shape))
        labels = np.roll(heart, 1, 0), heart
        kinds = ("fixed", "moving")
        voxels = {
            kind: (100.0 * label + noise[k]).astype(np.float32)
            for k, (kind, label) in enumerate(zip(kinds, labels, strict=True))
        }
        voxels |= {f"{kind}_seg": label for kind, label in zip(kinds, labels, strict=True)}
        voxels |= dict(replace)
        for key, file in zip(voxels, names, strict=True):
            path = nifti(f"{name}/{file}.nii.gz", voxels[key], **fields)
        return path.parent

    return write


@pytest.fixture
def patient(heart_pair):
    """Write a patient of ACDC, ED (the moving image of the pair) as frame 1, ES as frame 12."""

    def write(name="patient001", info="ED: 1\nES: 12\nGroup: DCM\n", **more):
        base = Path(name).name
        names = [f"{base}_frame{number}" for number in ("12", "01", "12_gt", "01_gt")]
        place = heart_pair(name, names, **more)
        (place / "Info.cfg").write_text(info)
        return place

    return write
