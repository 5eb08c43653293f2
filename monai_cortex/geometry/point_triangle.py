"""Exact distance of a point to a triangle: the compiled step that searches over meshes share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["closest_on_triangle", "triangle_rows"]

_FLAT = 1e-30  # of the product of the squared sides: below, a triangle is a segment
_Floats = NDArray[np.float64]


def triangle_rows(vertices: NDArray[Any], faces: NDArray[Any]) -> _Floats:
    """First corner of each triangle and the two sides that start there, side by side in memory.

    Args:
        vertices: ``(V, 3)``, mm.
        faces: ``(F, 3)``, each index in [0, V - 1].

    Returns:
        Rows of a, b - a and c - a, ``(F, 9)``.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    corners[:, 1:] -= corners[:, :1]
    return np.ascontiguousarray(corners.reshape(-1, 9))


@njit(cache=True, nogil=True, error_model="numpy")
def closest_on_triangle(rows: _Floats, face: int, x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """Closest point of a triangle, also of one that is a segment or a point.

    Args:
        rows: of :func:`triangle_rows`.
        face: number of the row.
        x, y, z: the point, mm.

    Returns:
        Squared distance in mm^2, and x, y and z of the closest point.

    Reference:
        Ericson, Real-Time Collision Detection, Morgan Kaufmann 2005, section 5.1.5: a point beyond a side is closest to
        one of the sides that it lies beyond.
    """
    a0, a1, a2 = rows[face, 0], rows[face, 1], rows[face, 2]
    x, y, z = x - a0, y - a1, z - a2
    b0, b1, b2 = rows[face, 3], rows[face, 4], rows[face, 5]
    c0, c1, c2 = rows[face, 6], rows[face, 7], rows[face, 8]
    bb, bc, cc = b0 * b0 + b1 * b1 + b2 * b2, b0 * c0 + b1 * c1 + b2 * c2, c0 * c0 + c1 * c1 + c2 * c2
    bp, cp = b0 * x + b1 * y + b2 * z, c0 * x + c1 * y + c2 * z
    area = bb * cc - bc * bc
    v, w = cc * bp - bc * cp, bb * cp - bc * bp
    flat = area <= _FLAT * bb * cc
    best, s, t = np.inf, 0.0, 0.0
    if not flat and v >= 0 and w >= 0 and v + w <= area:
        s, t = v / area, w / area
        best = _squared(x - s * b0 - t * c0, y - s * b1 - t * c1, z - s * b2 - t * c2)
        return best, a0 + s * b0 + t * c0, a1 + s * b1 + t * c1, a2 + s * b2 + t * c2
    if flat or w < 0:
        along = _share(bp, bb)
        best, s = _squared(x - along * b0, y - along * b1, z - along * b2), along
    if flat or v < 0:
        along = _share(cp, cc)
        other = _squared(x - along * c0, y - along * c1, z - along * c2)
        if other < best:
            best, s, t = other, 0.0, along
    if flat or v + w > area:
        along = _share(bb - bc - bp + cp, bb - 2 * bc + cc)
        other = _squared(x - b0 - along * (c0 - b0), y - b1 - along * (c1 - b1), z - b2 - along * (c2 - b2))
        if other < best:
            best, s, t = other, 1 - along, along
    return best, a0 + s * b0 + t * c0, a1 + s * b1 + t * c1, a2 + s * b2 + t * c2


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _squared(x: float, y: float, z: float) -> float:
    return x * x + y * y + z * z


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _share(along: float, length: float) -> float:
    """Where on a side a point is closest, from 0 to 1; 0 on a side without length."""
    return min(1.0, max(0.0, along / length)) if length > 0 else 0.0
