"""Triangles in frames of their own: squared distances at eight points at once, without a branch."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FRAME", "LANES", "lower_distances", "triangle_frame"]

FRAME = 20  # numbers of a frame
LANES = np.uint64(8)  # points measured at once; without a sign, see narrow_band
_FLAT = 1e-14  # of the longest side: below, a triangle is a segment
_Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def triangle_frame(row: _Floats, frame: _Floats) -> None:
    """Numbers that carry points into a triangle's frame and measure them there.

    The frame starts at a corner, with u along the longest side, v across it in the triangle's plane, and w out of the
    plane. A thin triangle's plane is uncertain, but turns about the longest side alone: that moves no corner far.

    Args:
        row: of :func:`triangle_rows`, ``(9,)``.
        frame: where the ``FRAME`` numbers go: for u, v and w each an axis and its product with the start; length of the
            longest side, u and v of the third corner, its u from the longest side's end; the two other sides, from
            the longest side to the third corner, over their squared lengths.
    """
    a, b, c = (row[0], row[1], row[2]), (row[3], row[4], row[5]), (row[6], row[7], row[8])
    side = (c[0] - b[0], c[1] - b[1], c[2] - b[2])
    if _dot(side, side) > max(_dot(b, b), _dot(c, c)):
        a, b, c = (a[0] + b[0], a[1] + b[1], a[2] + b[2]), side, (-b[0], -b[1], -b[2])
    elif _dot(c, c) > _dot(b, b):
        b, c = c, b
    length = np.sqrt(_dot(b, b))
    u = _over(b, length)
    normal = _cross(u, c)
    height = np.sqrt(_dot(normal, normal))
    if height > _FLAT * length:
        # A thin triangle's normal is rounding to a large part: only what is across the longest side is of use.
        lean = _dot(normal, u)
        w = (normal[0] - lean * u[0], normal[1] - lean * u[1], normal[2] - lean * u[2])
    else:
        height, w = 0.0, _cross(u, (1.0, 0.0, 0.0) if abs(u[0]) < 0.5 else (0.0, 1.0, 0.0))  # noqa: PLR2004
    w = _over(w, np.sqrt(_dot(w, w)))
    v = _cross(w, u)
    along = _dot(u, c)
    rest = along - length
    frame[0], frame[1], frame[2], frame[3] = u[0], u[1], u[2], _dot(u, a)
    frame[4], frame[5], frame[6], frame[7] = v[0], v[1], v[2], _dot(v, a)
    frame[8], frame[9], frame[10], frame[11] = w[0], w[1], w[2], _dot(w, a)
    frame[12], frame[13], frame[14], frame[15] = length, along, height, rest
    left, right = along * along + height * height, rest * rest + height * height
    left, right = 1 / left if left > 0 else 0.0, 1 / right if right > 0 else 0.0
    frame[16], frame[17], frame[18], frame[19] = along * left, height * left, rest * right, height * right


_Vector = tuple[float, float, float]


@njit(cache=True, nogil=True, inline="always")
def _dot(a: _Vector, b: _Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True, inline="always")
def _cross(a: _Vector, b: _Vector) -> _Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _over(a: _Vector, length: float) -> _Vector:
    """Of length 1; the first axis where there is none."""
    share = 1 / length
    return (a[0] * share, a[1] * share, a[2] * share) if length > 0 else (1.0, 0.0, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "ninf", "contract"})
def lower_distances(frames: _Floats, begin: int, end: int, nodes: _Floats, slot: int) -> None:
    """Lower squared distances of eight points to those to some triangles.

    Args:
        frames: of :func:`triangle_frame`, ``(F, FRAME)``.
        begin: first triangle.
        end: the one after the last.
        nodes: eight x, eight y, eight z, eight squared distances in each row, ``(S, 32)``; changed in place.
        slot: row of the points.
    """
    for f in range(begin, end):
        u0, u1, u2, u3 = frames[f, 0], frames[f, 1], frames[f, 2], frames[f, 3]
        v0, v1, v2, v3 = frames[f, 4], frames[f, 5], frames[f, 6], frames[f, 7]
        w0, w1, w2, w3 = frames[f, 8], frames[f, 9], frames[f, 10], frames[f, 11]
        length, along, height, rest = frames[f, 12], frames[f, 13], frames[f, 14], frames[f, 15]
        left_u, left_v, right_u, right_v = frames[f, 16], frames[f, 17], frames[f, 18], frames[f, 19]
        for n in range(LANES):
            x, y, z = nodes[slot, n], nodes[slot, LANES + n], nodes[slot, 2 * LANES + n]
            u = u0 * x + u1 * y + u2 * z - u3
            v = v0 * x + v1 * y + v2 * z - v3
            w = w0 * x + w1 * y + w2 * z - w3
            from_end = u - length
            aside = u - min(max(u, 0.0), length)
            share = min(max(left_u * u + left_v * v, 0.0), 1.0)
            p, q = u - share * along, v - share * height
            share = min(max(right_u * from_end + right_v * v, 0.0), 1.0)
            r, s = from_end - share * rest, v - share * height
            flat = min(aside * aside + v * v, p * p + q * q, r * r + s * s)
            # Left of all sides; of the longest one by v alone.
            within = min(v, height * u - along * v, rest * v - height * from_end)
            flat = 0.0 if within > 0 else flat
            nodes[slot, 3 * LANES + n] = min(nodes[slot, 3 * LANES + n], flat + w * w)
