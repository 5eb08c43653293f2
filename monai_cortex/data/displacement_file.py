"""Displacement fields as NIfTI files that ITK, ANTs and nitransforms read alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from monai_cortex.geometry.displacement_space import from_world, to_world

from .named_file import NamedFile
from .nifti import read_volume
from .nifti_writer import write_volume

__all__ = ["Displacement", "field_record", "read_displacement", "world_vectors", "write_displacement"]

# Intent 1006, "displacement vector", is in LPS for some readers and in RAS for others; this one is not.
_INTENT = "vector"
_AXES = 5
_RECORD = {
    "units": "mm",
    "axes": "LPS",
    "convention": "pull-back: the warped image at x is the moving image at x plus the vector at x",
}


class Displacement(NamedTuple):
    """A displacement field on its grid.

    Args:
        ddf: voxels, pull-back, channel c along array axis c, ``(3, I, J, K)`` float32.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
    """

    ddf: Tensor
    affine: NDArray[np.float64]


def world_vectors(ddf: Tensor, affine: ArrayLike) -> NDArray[np.float32]:
    """Vectors as files hold them, mm LPS, ``(I, J, K, 3)``.

    Args:
        ddf: voxels, ``(3, I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.

    Raises:
        GeometryError: not a field, or the affine does not place it in space.
        ValueError: a displacement is not finite.
    """
    plain = torch.as_tensor(ddf).detach().cpu().as_subclass(Tensor).double()
    if not plain.isfinite().all():
        raise ValueError("displacements are finite numbers, got NaN or infinity; look at how the field was found.")
    return to_world(plain, affine).numpy().astype(np.float32)


def field_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What to say of a file of displacements: a record, and after it units, axes and convention."""
    return {**record, **_RECORD}


def write_displacement(
    path: str | os.PathLike[str], ddf: Tensor, affine: ArrayLike, sidecar: Mapping[str, Any] | None = None
) -> None:
    """Write a field atomically as NIfTI with intent 1007, vectors ``(I, J, K, 1, 3)`` in mm LPS.

    Args:
        path: final name, ``.nii`` or ``.nii.gz``.
        ddf: voxels, pull-back, ``(3, I, J, K)``.
        affine: of the grid, voxel indices to RAS+ mm, ``(4, 4)``; ITK reads none that shears.
        sidecar: what to say of the field; units, axes, convention and sha256 are added. None writes no record.

    Raises:
        GeometryError: not a field, or the affine does not place it in space.
        ValueError: for another suffix, or displacements that are not finite.
        ResourceError: the disk is full.
    """
    vectors = world_vectors(ddf, affine)[..., None, :]
    write_volume(path, vectors, affine, None if sidecar is None else field_record(sidecar), intent=_INTENT)


def read_displacement(path: str | os.PathLike[str], subject: str = "") -> Displacement:
    """Read a field that :func:`write_displacement`, ITK or ANTs wrote.

    Args:
        path: NIfTI file with intent 1007 and vectors ``(I, J, K, 1, 3)`` in mm LPS.
        subject: identifier for messages.

    Returns:
        The field in voxels, and its affine.

    Raises:
        InputFileError: the file is missing, damaged, or holds something else than displacements.
        ResourceError: the field needs more memory than the limit.
    """
    volume = read_volume(path, ndim=_AXES, subject=subject, constant=True, intent=_INTENT)
    if volume.values.shape[3:] != (1, 3):
        NamedFile(path, subject).refuse(
            "the vectors are no displacements in space",
            f"shape {volume.values.shape}",
            "(I, J, K, 1, 3): one vector of three numbers a voxel",
            "check that files were not mixed up",
        )
    vectors = torch.from_numpy(volume.values[:, :, :, 0])
    return Displacement(from_world(vectors, volume.affine).contiguous(), volume.affine)
