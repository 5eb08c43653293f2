"""Readers with all their checks beside nibabel, which does not look: what does care cost?"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from benchmarks.case import Case, Pair
from monai_cortex.data import (
    check_surface,
    read_gifti_surface,
    read_morph,
    read_surface_geometry,
    read_volume,
    write_morph,
    write_surface_geometry,
    write_volume,
)
from monai_cortex.geometry.icosphere import icosphere

__all__ = ["CASES"]

_load: Callable[[Path], Any] = nib.load

# Of fsaverage, 163842 vertices.
_LEVEL = 7
_EDGE = 256


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _volume(suffix: str, device: torch.device) -> Pair:  # noqa: ARG001
    path = _folder() / f"a{suffix}"
    values = np.random.default_rng(0).normal(500, 100, (_EDGE,) * 3)
    write_volume(path, values, np.diag([1.0, 1, 1, 1]), dtype=np.int16)

    def plain() -> Tensor:
        # The same numbers in the same order in memory; nibabel leaves them as the file has them.
        return torch.from_numpy(np.ascontiguousarray(_load(path).get_fdata(dtype=np.float32)))

    return Pair(lambda: torch.from_numpy(read_volume(path).values), plain)


def _surface(form: str, checked: bool, device: torch.device) -> Pair:  # noqa: ARG001
    mesh, folder = icosphere(_LEVEL), _folder()
    path = folder / "lh.white"
    write_surface_geometry(path, 50 * mesh.vertices, mesh.faces)
    if form == "gifti":
        points, faces = nib.freesurfer.read_geometry(path)
        arrays = [
            nib.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET"),
            nib.gifti.GiftiDataArray(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
        ]
        path = folder / "lh.white.surf.gii"
        nib.save(nib.gifti.GiftiImage(darrays=arrays), path)

    def ours() -> Tensor:
        surface = read_gifti_surface(path) if form == "gifti" else read_surface_geometry(path)
        if checked:
            check_surface(surface)
        return surface.mesh.vertices

    def plain() -> Tensor:
        # The same types as ours, and those of the machine: nibabel leaves them as the file has them.
        points, faces = _load(path).agg_data() if form == "gifti" else nib.freesurfer.read_geometry(path)
        faces.astype(np.int64)
        return torch.from_numpy(points.astype(np.float64))

    return Pair(ours, plain)


def _values(device: torch.device) -> Pair:  # noqa: ARG001
    path, count = _folder() / "lh.sulc", 10 * 4**_LEVEL + 2
    write_morph(path, np.random.default_rng(0).normal(size=count))
    return Pair(
        lambda: torch.from_numpy(read_morph(path, count)),
        lambda: torch.from_numpy(nib.freesurfer.read_morph_data(path).astype(np.float32)),
    )


def _case(what: str, ours: str, build: Callable[[torch.device], Pair], time: float | None = None) -> Case:
    return Case(what, ours, "nibabel", build, time=time, measure_memory=False)


_INT16 = f"{_EDGE}^3 voxels of int16"
CASES = {
    "nifti": _case(f"{_INT16}, .nii", "read and checked", partial(_volume, ".nii"), 1.1),
    "nifti_zipped": _case(f"{_INT16}, .nii.gz", "checksum, read and checked", partial(_volume, ".nii.gz"), 2.1),
    "freesurfer": _case(
        "surface of 163842 vertices", "read, finite, indices", partial(_surface, "freesurfer", False), 1.1
    ),
    "gifti": _case("the same as GIFTI", "read, finite, indices", partial(_surface, "gifti", False), 1.1),
    "freesurfer_topology": _case(
        "surface of 163842 vertices", "and its topology", partial(_surface, "freesurfer", True)
    ),
    "morph": _case("163842 values", "read and checked", _values),
}
