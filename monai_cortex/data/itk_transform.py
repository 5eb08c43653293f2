"""Displacement fields as transforms of ITK: written whole or not at all, equal inputs as equal bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .atomic import atomic_path
from .displacement_file import field_record, world_vectors
from .sidecar import write_sidecar

__all__ = ["write_transform"]

_KIND = "DisplacementFieldTransform_float_3_3"
_LPS = np.diag([-1.0, -1.0, 1.0])


def write_transform(
    path: str | os.PathLike[str], ddf: Tensor, affine: ArrayLike, sidecar: Mapping[str, Any] | None = None
) -> None:
    """Write a field atomically as the displacement field transform that ITK, SimpleITK, ANTs and 3D Slicer read.

    It takes points of the fixed image to the moving one, as ITK's resampling needs. Outside its grid it
    is the identity.

    Args:
        path: final name, ``.h5``.
        ddf: voxels, pull-back, ``(3, I, J, K)``.
        affine: of the grid, voxel indices to RAS+ mm, ``(4, 4)``.
        sidecar: what to say of the field; units, axes, convention and sha256 are added. None writes no record.

    Raises:
        GeometryError: not a field, or the affine does not place it in space.
        ValueError: for another suffix, or displacements that are not finite.
        ResourceError: the disk is full.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise ValueError(f"a transform is written as .h5, got {path.name!r}; change the name.")
    vectors = world_vectors(ddf, affine)
    content = _content(vectors, _grid(vectors.shape[:3], np.asarray(affine, np.float64)))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    if sidecar is not None:
        write_sidecar(path, field_record(sidecar))


def _grid(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Grid as ITK lists it: size, origin, spacing, and the matrix of directions by rows, ``(18,)``."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = _LPS @ affine[:3, :3] / spacing
    return np.concatenate([np.asarray(shape, np.float64), _LPS @ affine[:3, 3], spacing, directions.ravel()])


def _content(vectors: NDArray[np.float32], grid: NDArray[np.float64]) -> bytes:
    # ITK counts voxels from the first axis, and keeps the three numbers of a vector together.
    numbers = vectors.transpose(2, 1, 0, 3).ravel()
    stream = BytesIO()
    # The oldest layout, without times: every ITK reads it, and equal fields are equal bytes.
    with h5py.File(stream, "w", libver=("earliest", "v108")) as file:
        group = file.create_group("TransformGroup/0")
        text = h5py.string_dtype("ascii")
        group.create_dataset("TransformType", data=[_KIND], dtype=text, track_times=False)
        group.create_dataset("TransformFixedParameters", data=grid, track_times=False)
        group.create_dataset(
            "TransformParameters", data=numbers, compression="gzip", compression_opts=6, track_times=False
        )
    return stream.getvalue()
