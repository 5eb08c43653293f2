"""Triangles in small flat patches, with bounds that spare most exact distances to them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["TrianglePatches", "triangle_patches"]

_SLACK = 1e-9  # bounds are wider by it, so that rounding spares nothing that is needed
_TURNS = 6  # triangles of a patch face the same way along one of the axes
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


class TrianglePatches(NamedTuple):
    """Triangles patch by patch, each patch and each triangle within a flat cylinder.

    Attributes:
        rows: corner and sides of each triangle, ``(F, 9)``, as in :func:`triangle_rows`, patch by patch.
        discs: cylinder around each triangle: center, axis, radius and half the height, ``(8, F)``, mm.
        begin: where each patch begins, and where the last ends, ``(P + 1,)``.
        cylinders: around each patch, ``(P, 8)``.
    """

    rows: _Floats
    discs: _Floats
    begin: _Integers
    cylinders: _Floats


@njit(cache=True, nogil=True)
def triangle_patches(rows: _Floats, size: float) -> TrianglePatches:
    """Gather the triangles that lie in one cell of a lattice and face the same way.

    Args:
        rows: of :func:`triangle_rows`, ``(F, 9)``.
        size: edge of the cells in mm; larger where there would be more cells than triangles.
    """
    key, cells = _keys(rows, size)
    begin = np.zeros(cells + 1, np.int64)
    for f in range(len(rows)):
        begin[key[f] + 1] += 1
    begin = np.cumsum(begin)
    filled = begin[:-1].copy()
    ordered, discs = np.empty((len(rows), 9)), np.empty((8, len(rows)))
    for f in range(len(rows)):
        place = filled[key[f]]
        filled[key[f]] += 1
        ordered[place] = rows[f]
    used = np.empty(len(rows) + 1, np.int64)
    count = 0
    for cell in range(cells):
        if begin[cell] < begin[cell + 1]:
            used[count] = begin[cell]
            count += 1
    used[count] = len(rows)
    cylinders = np.empty((count, 8))
    for f in range(len(rows)):
        _bound(ordered, f, f + 1, discs[:, f])
    for patch in range(count):
        _bound(ordered, used[patch], used[patch + 1], cylinders[patch])
    return TrianglePatches(ordered, discs, used[: count + 1].copy(), cylinders)


@njit(cache=True, nogil=True)
def _keys(rows: _Floats, size: float) -> tuple[_Integers, int]:
    """Cell and turn of each triangle in one number, and how many there are."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for f in range(len(rows)):
        for axis in range(3):
            center = rows[f, axis] + (rows[f, 3 + axis] + rows[f, 6 + axis]) / 3
            low[axis], high[axis] = min(low[axis], center), max(high[axis], center)
    extent = high - low
    size = max(size, extent.max() / 1000)
    while np.prod(extent // size + 1) > len(rows) and size < extent.max():
        size *= 1.1
    cells = (extent // size).astype(np.int64) + 1
    keys = np.empty(len(rows), np.int64)
    for f in range(len(rows)):
        keys[f] = 0
        for axis in range(3):
            center = rows[f, axis] + (rows[f, 3 + axis] + rows[f, 6 + axis]) / 3
            keys[f] = keys[f] * cells[axis] + min(cells[axis] - 1, int((center - low[axis]) / size))
        x, y, z = _normal(rows, f)
        longest = max(abs(x), abs(y), abs(z))
        axis = 0 if abs(x) == longest else 1 if abs(y) == longest else 2
        keys[f] = keys[f] * _TURNS + 2 * axis + ((x, y, z)[axis] > 0)
    return keys, np.prod(cells) * _TURNS


@njit(cache=True, nogil=True, inline="always")
def _normal(rows: _Floats, f: int) -> tuple[float, float, float]:
    b0, b1, b2, c0, c1, c2 = rows[f, 3], rows[f, 4], rows[f, 5], rows[f, 6], rows[f, 7], rows[f, 8]
    return b1 * c2 - b2 * c1, b2 * c0 - b0 * c2, b0 * c1 - b1 * c0


@njit(cache=True, nogil=True)
def _bound(rows: _Floats, begin: int, end: int, cylinder: _Floats) -> None:
    """Smallest cylinder about the mean corner and along the mean normal."""
    center, axis = np.zeros(3), np.zeros(3)
    for f in range(begin, end):
        x, y, z = _normal(rows, f)
        axis[0], axis[1], axis[2] = axis[0] + x, axis[1] + y, axis[2] + z
        for k in range(3):
            center[k] += (rows[f, k] + (rows[f, 3 + k] + rows[f, 6 + k]) / 3) / (end - begin)
    length = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    # Without an axis all height counts as radius.
    for k in range(3):
        cylinder[k], cylinder[3 + k] = center[k], axis[k] / length if length > 0 else 0.0
    radius, height = 0.0, 0.0
    for f in range(begin, end):
        for corner in range(3):
            along, squared = 0.0, 0.0
            for k in range(3):
                q = rows[f, k] - center[k] + (rows[f, 3 * corner + k] if corner > 0 else 0.0)
                along += q * cylinder[3 + k]
                squared += q * q
            radius, height = max(radius, squared - along * along), max(height, abs(along))
    cylinder[6], cylinder[7] = np.sqrt(max(0.0, radius)) * (1 + _SLACK) + _SLACK, height * (1 + _SLACK) + _SLACK
