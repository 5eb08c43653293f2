"""Triangles in small flat patches, with bounds that spare most exact distances to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monai_cortex.geometry.triangle_frames import FRAME, triangle_frame

__all__ = ["TrianglePatches", "triangle_patches"]

_SLACK = 1e-9  # bounds are wider by it, so that rounding spares nothing that is needed
_TURNS = 6  # triangles of a patch face the same way along one of the axes
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


class TrianglePatches(NamedTuple):
    """Triangles patch by patch, each patch within a flat cylinder.

    Attributes:
        frames: of each triangle, ``(F, FRAME)``, as :func:`triangle_frame` writes them, patch by patch.
        begin: where each patch begins, and where the last ends, ``(P + 1,)``.
        cylinders: around each patch: center, axis, radius and half the height, ``(P, 8)``, mm.
    """

    frames: _Floats
    begin: _Integers
    cylinders: _Floats


def triangle_patches(vertices: _Floats, faces: NDArray[Any], size: float) -> TrianglePatches:
    """Gather the triangles that lie in one cell of a lattice and face the same way.

    Args:
        vertices: finite, ``(V, 3)``, mm.
        faces: ``(F, 3)``, each index in [0, V - 1].
        size: edge of the cells in mm; larger where there would be more cells than triangles.
    """
    # Memory of this size from numpy comes in large pages, that from numba does not.
    frames = np.empty((len(faces), FRAME))
    return TrianglePatches(frames, *_gather(vertices, faces, size, frames))


@njit(cache=True, nogil=True)
def _gather(vertices: _Floats, faces: NDArray[Any], size: float, frames: _Floats) -> tuple[_Integers, _Floats]:
    """Write the frames patch by patch; where patches begin, and their cylinders."""
    keys, cells = _keys(vertices, faces, size)
    ends = np.zeros(cells + 1, np.int32)
    for f in range(len(keys)):
        ends[keys[f] + 1] += 1
    count, largest = 0, 0
    for cell in range(cells):
        count += ends[cell + 1] > 0
        largest = max(largest, ends[cell + 1])
        ends[cell + 1] += ends[cell]
    order = np.empty(len(faces), np.int32)
    for f in range(len(keys)):
        order[ends[keys[f]]] = f
        ends[keys[f]] += 1
    begin, cylinders, rows = np.zeros(count + 1, np.int64), np.empty((count, 8)), np.empty((largest, 9))
    for p in range(count):
        key, end = keys[order[begin[p]]], begin[p]
        while end < len(faces) and keys[order[end]] == key:
            _write_row(vertices, faces, order[end], rows[end - begin[p]])
            triangle_frame(rows[end - begin[p]], frames[end])
            end += 1
        _bound(rows[: end - begin[p]], cylinders[p])
        begin[p + 1] = end
    return begin, cylinders


@njit(cache=True, nogil=True)
def _write_row(vertices: _Floats, faces: NDArray[Any], f: int, row: _Floats) -> None:
    """One of :func:`triangle_rows`."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    for axis in range(3):
        row[axis] = vertices[a, axis]
        row[3 + axis], row[6 + axis] = vertices[b, axis] - vertices[a, axis], vertices[c, axis] - vertices[a, axis]


@njit(cache=True, nogil=True)
def _keys(vertices: _Floats, faces: NDArray[Any], size: float) -> tuple[NDArray[np.int32], int]:
    """Cell and turn of each triangle in one number, and how many there are."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for v in range(len(vertices)):
        for axis in range(3):
            low[axis], high[axis] = min(low[axis], vertices[v, axis]), max(high[axis], vertices[v, axis])
    extent = high - low
    size = max(size, extent.max() / 1000)
    while np.prod(extent // size + 1) > len(faces) and size < extent.max():
        size *= 1.1
    cells = (extent // size).astype(np.int64) + 1
    keys, row = np.empty(len(faces), np.int32), np.empty(9)
    for f in range(len(faces)):
        _write_row(vertices, faces, f, row)
        key = 0
        for axis in range(3):
            center = row[axis] + (row[3 + axis] + row[6 + axis]) / 3
            key = key * cells[axis] + max(0, min(cells[axis] - 1, int((center - low[axis]) / size)))
        x, y, z = _normal(row)
        longest = max(abs(x), abs(y), abs(z))
        axis = 0 if abs(x) == longest else 1 if abs(y) == longest else 2
        keys[f] = key * _TURNS + 2 * axis + ((x, y, z)[axis] > 0)
    return keys, np.prod(cells) * _TURNS


@njit(cache=True, nogil=True, inline="always")
def _normal(row: _Floats) -> tuple[float, float, float]:
    b0, b1, b2, c0, c1, c2 = row[3], row[4], row[5], row[6], row[7], row[8]
    return b1 * c2 - b2 * c1, b2 * c0 - b0 * c2, b0 * c1 - b1 * c0


@njit(cache=True, nogil=True)
def _bound(rows: _Floats, cylinder: _Floats) -> None:
    """Smallest cylinder about the mean corner and along the mean normal."""
    center, axis = np.zeros(3), np.zeros(3)
    for f in range(len(rows)):
        x, y, z = _normal(rows[f])
        axis[0], axis[1], axis[2] = axis[0] + x, axis[1] + y, axis[2] + z
        for k in range(3):
            center[k] += (rows[f, k] + (rows[f, 3 + k] + rows[f, 6 + k]) / 3) / len(rows)
    length = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    # Without an axis all height counts as radius.
    for k in range(3):
        cylinder[k], cylinder[3 + k] = center[k], axis[k] / length if length > 0 else 0.0
    radius, height = 0.0, 0.0
    for f in range(len(rows)):
        for corner in range(3):
            along, squared = 0.0, 0.0
            for k in range(3):
                q = rows[f, k] - center[k] + (rows[f, 3 * corner + k] if corner > 0 else 0.0)
                along += q * cylinder[3 + k]
                squared += q * q
            radius, height = max(radius, squared - along * along), max(height, abs(along))
    cylinder[6], cylinder[7] = np.sqrt(max(0.0, radius)) * (1 + _SLACK) + _SLACK, height * (1 + _SLACK) + _SLACK
