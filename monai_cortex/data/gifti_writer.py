"""Spheres and values as GIFTI files: written whole or not at all, equal inputs as equal bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.gifti import GiftiCoordSystem, GiftiDataArray, GiftiImage, GiftiMetaData
from numpy.typing import ArrayLike, NDArray

from .atomic import atomic_path
from .gifti import STRUCTURE

__all__ = ["write_gifti_sphere", "write_gifti_values"]

_STRUCTURES = {"lh": "CortexLeft", "rh": "CortexRight"}
_RADIUS = 100.0
_GAP = 1.0


def write_gifti_sphere(path: str | os.PathLike[str], vertices: ArrayLike, faces: ArrayLike, hemisphere: str) -> None:
    """Write a sphere of radius 100, as Workbench and FreeSurfer store them.

    Args:
        path: name that ends in ``.gii``, as in ``lh.sphere.surf.gii``.
        vertices: coordinates in mm, 99 to 101 from the origin, ``(V, 3)``; stored as float32. Multiply unit vectors
            by 100.
        faces: indices of vertices, ``(F, 3)``; stored as int32.
        hemisphere: "lh" or "rh".

    Raises:
        ValueError: for another suffix or hemisphere, another radius, or an index out of range.
        ResourceError: the disk is full.
    """
    points, corners = np.asarray(vertices, np.float32), np.asarray(faces)
    if points.ndim != 2 or points.shape[1:] != (3,) or not len(points):  # noqa: PLR2004
        raise ValueError(f"a sphere needs vertices (V, 3), got shape {points.shape}.")
    radius = np.linalg.norm(points.astype(np.float64), axis=1)
    if not (np.abs(radius - _RADIUS) <= _GAP).all():
        raise ValueError(f"a sphere is written with radius 100, got {radius.min():g} to {radius.max():g}; scale it.")
    if corners.ndim != 2 or corners.shape[1:] != (3,) or not len(corners) or corners.dtype.kind not in "iu":  # noqa: PLR2004
        raise ValueError(f"a sphere needs integer faces (F, 3), got {corners.dtype} of shape {corners.shape}.")
    if corners.min() < 0 or corners.max() >= len(points):
        raise ValueError(f"faces name vertices 0 to {len(points) - 1}, got {corners.min()} to {corners.max()}.")
    meta = {STRUCTURE: _structure(hemisphere), "GeometricType": "Spherical"}
    # The words of the standard: only points have a coordinate system.
    first = _array(points, "NIFTI_INTENT_POINTSET", meta)
    first.coordsys = GiftiCoordSystem()
    second = _array(corners.astype(np.int32), "NIFTI_INTENT_TRIANGLE", {"TopologicalType": "Closed"})
    _write(path, [first, second], {})


def write_gifti_values(path: str | os.PathLike[str], values: ArrayLike, hemisphere: str) -> None:
    """Write one value for each vertex, with intent NIFTI_INTENT_SHAPE.

    Args:
        path: name that ends in ``.gii``, as in ``lh.mcx.areal.shape.gii``.
        values: in any unit, ``(V,)``; stored as float32.
        hemisphere: "lh" or "rh".

    Raises:
        ValueError: for another suffix or hemisphere, or values that are not ``(V,)`` and finite as float32.
        ResourceError: the disk is full.
    """
    with np.errstate(over="ignore"):
        numbers = np.asarray(values).astype(np.float32)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise ValueError(f"need finite values (V,), got others, of shape {numbers.shape}.")
    meta = {STRUCTURE: _structure(hemisphere)}
    _write(path, [_array(numbers, "NIFTI_INTENT_SHAPE", meta)], meta)


def _structure(hemisphere: str) -> str:
    if hemisphere not in _STRUCTURES:
        raise ValueError(f'hemisphere is "lh" or "rh", got {hemisphere!r}.')
    return _STRUCTURES[hemisphere]


def _array(values: NDArray[Any], intent: str, metadata: dict[str, str]) -> Any:  # noqa: ANN401
    array: Any = GiftiDataArray(np.ascontiguousarray(values), intent=intent, meta=GiftiMetaData(metadata))
    array.coordsys = None
    return array


def _write(path: str | os.PathLike[str], arrays: list[Any], metadata: dict[str, str]) -> None:
    if Path(path).suffix.lower() != ".gii":
        raise ValueError(f"a GIFTI file is written as .gii, got {Path(path).name!r}; change the name.")
    image: Any = GiftiImage(meta=GiftiMetaData(metadata), darrays=arrays)
    content = image.to_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
