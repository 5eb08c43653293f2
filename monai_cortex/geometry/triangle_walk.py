"""Point location on a mesh around the origin by walking from triangle to triangle: compiled loops over arrays."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["TriangleWalk", "corner_planes", "triangle_walk", "walk"]

_SLACK = 1e-14  # a point on a side belongs to both triangles, whatever the rounding
_NONE = -1
_TURNS = 64  # steps after which a walk takes sides by chance too, so that it cannot go in circles
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int32]


class TriangleWalk(NamedTuple):
    """What a walk needs to know of a mesh.

    Attributes:
        vertices: scaled so that the longest is 1, ``(V, 3)``.
        faces: ``(F, 3)``.
        neighbors: triangle across the side opposite to each corner, -1 at a border, ``(F, 3)``.
        starts: a triangle near each cell of a cube around the mesh, ``(6 * n * n,)``.
    """

    vertices: _Floats
    faces: _Integers
    neighbors: _Integers
    starts: _Integers


def triangle_walk(vertices: NDArray[Any], faces: NDArray[Any]) -> TriangleWalk:
    """Prepare a mesh for :func:`walk`; what the unit of the vertices is does not matter.

    Args:
        vertices: ``(V, 3)``.
        faces: ``(F, 3)``.

    Raises:
        ValueError: if an array has another shape or a face another vertex.
    """
    _require_columns("vertices", vertices)
    _require_columns("faces", faces)
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError(f"faces must name vertices 0 to {len(vertices) - 1}, got {faces.min()} to {faces.max()}.")
    scale = np.sqrt((np.asarray(vertices, dtype=np.float64) ** 2).sum(1).max(initial=0.0))
    vertices = np.ascontiguousarray(vertices / max(scale, np.finfo(np.float64).tiny), dtype=np.float64)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    # About one cell a triangle, so that a walk takes one or two steps.
    starts = _starts(vertices, faces, max(2, math.ceil(math.sqrt(len(faces) / 6))))
    return TriangleWalk(vertices, faces, _neighbors(faces, len(vertices)), starts)


def walk(
    mesh: TriangleWalk, points: NDArray[Any], start: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], _Floats]:
    """Find the triangle that the ray from the origin through each point meets.

    Args:
        mesh: prepared.
        points: ``(Q, 3)``, of any length above 0.
        start: where to begin, ``(Q,)``; by default a triangle from the table.

    Returns:
        Numbers of triangles ``(Q,)``, -1 where the ray meets none; of several, in a fold, one. And the barycentric
        weights ``(Q, 3)``.

    Raises:
        ValueError: if an array has another shape or a start is no triangle.
    """
    _require_columns("points", points)
    points = np.ascontiguousarray(points, dtype=np.float64)
    first = np.empty(0, np.int32) if start is None else np.ascontiguousarray(start, dtype=np.int32)
    if start is not None and (first.shape != points.shape[:1] or not _within(first, len(mesh.faces))):
        raise ValueError(f"start must name one of {len(mesh.faces)} triangles for each of {len(points)} points.")
    return _walk_all(*mesh, points, first)


def _require_columns(name: str, array: NDArray[Any]) -> None:
    """The compiled loops do not look where an array ends."""
    if array.ndim != 2 or array.shape[1] != 3:  # noqa: PLR2004
        raise ValueError(f"{name} must have shape (N, 3), got {array.shape}.")


def _within(numbers: NDArray[Any], count: int) -> bool:
    return bool((numbers >= 0).all() and (numbers < count).all())


@njit(cache=True, nogil=True)
def corner_planes(vertices: _Floats, a: int, b: int, c: int) -> _Floats:
    """For each corner the cross product of the others: where a ray meets the triangle is linear in it, ``(3, 3)``."""
    result = np.empty((3, 3))
    for k in range(3):
        u, v = (b, c) if k == 0 else (c, a) if k == 1 else (a, b)
        for i in range(3):
            j, m = (i + 1) % 3, (i + 2) % 3
            result[k, i] = vertices[u, j] * vertices[v, m] - vertices[u, m] * vertices[v, j]
    return result


@njit(cache=True, nogil=True)
def _neighbors(faces: _Integers, count: int) -> _Integers:
    """Sides are listed by their lower vertex; two triangles with one side are neighbors."""
    begin = np.zeros(count + 1, np.int32)
    for f in range(len(faces)):
        for k in range(3):
            begin[min(faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]) + 1] += 1
    begin = np.cumsum(begin).astype(np.int32)
    filled = begin[:-1].copy()
    other = np.empty(3 * len(faces), np.int32)
    owner = np.empty(3 * len(faces), np.int32)
    result = np.full((len(faces), 3), np.int32(_NONE))
    for f in range(len(faces)):
        for k in range(3):
            u, v = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            low, high = min(u, v), max(u, v)
            seen = _find(other, begin[low], filled[low], high)
            if seen != _NONE:
                g, j = owner[seen] // 3, owner[seen] % 3
                result[f, k], result[g, j] = g, f
            other[filled[low]] = high
            owner[filled[low]] = 3 * f + k
            filled[low] += 1
    return result


@njit(cache=True, nogil=True, inline="always")
def _find(numbers: _Integers, begin: int, end: int, wanted: int) -> int:
    """Place of a number in a range, -1 where it is not."""
    for place in range(begin, end):
        if numbers[place] == wanted:
            return place
    return _NONE


@njit(cache=True, nogil=True, inline="always")
def _cell(x: float, y: float, z: float, side: int) -> int:
    """Cell of a cube through which a ray leaves it: wall, row and column in one number."""
    height = max(abs(x), abs(y), abs(z))
    if height == abs(x):
        wall, u, v = 0 if x > 0 else 1, y, z
    elif height == abs(y):
        wall, u, v = 2 if y > 0 else 3, z, x
    else:
        wall, u, v = 4 if z > 0 else 5, x, y
    scale = side / 2 / height
    row, column = min(side - 1, int((u + height) * scale)), min(side - 1, int((v + height) * scale))
    return (wall * side + row) * side + column


@njit(cache=True, nogil=True)
def _starts(vertices: _Floats, faces: _Integers, side: int) -> _Integers:
    """A triangle whose center is in the cell, or one of a cell before."""
    starts = np.full(6 * side * side, np.int32(_NONE))
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x = vertices[a, 0] + vertices[b, 0] + vertices[c, 0]
        y = vertices[a, 1] + vertices[b, 1] + vertices[c, 1]
        z = vertices[a, 2] + vertices[b, 2] + vertices[c, 2]
        if 0 < x * x + y * y + z * z < np.inf:
            starts[_cell(x, y, z, side)] = f
    last = 0
    for cell in range(len(starts)):
        if starts[cell] == _NONE:
            starts[cell] = last
        last = starts[cell]
    return starts


@njit(cache=True, nogil=True, inline="always")
def _sides(vertices: _Floats, faces: _Integers, face: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """How far inside the planes through origin and each side a point lies; by their sum these are its weights."""
    # Element by element: a compiled row would cost more than the arithmetic.
    a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
    a0, a1, a2 = vertices[a, 0], vertices[a, 1], vertices[a, 2]
    b0, b1, b2 = vertices[b, 0], vertices[b, 1], vertices[b, 2]
    c0, c1, c2 = vertices[c, 0], vertices[c, 1], vertices[c, 2]
    n0, n1, n2 = b1 * c2 - b2 * c1, b2 * c0 - b0 * c2, b0 * c1 - b1 * c0
    first = x * n0 + y * n1 + z * n2
    second = x * (c1 * a2 - c2 * a1) + y * (c2 * a0 - c0 * a2) + z * (c0 * a1 - c1 * a0)
    third = x * (a1 * b2 - a2 * b1) + y * (a2 * b0 - a0 * b2) + z * (a0 * b1 - a1 * b0)
    if a0 * n0 + a1 * n1 + a2 * n2 < 0:  # a folded triangle
        return -first, -second, -third
    return first, second, third


@njit(cache=True, nogil=True)
def _walk_one(  # noqa: PLR0913
    vertices: _Floats, faces: _Integers, neighbors: _Integers, x: float, y: float, z: float, face: int
) -> int:
    """Cross the side that the point lies farthest beyond, but not back; after many steps a side by chance."""
    chance, last = 1, _NONE
    for step in range(1000 + 4 * int(math.sqrt(len(faces)))):
        sides = _sides(vertices, faces, face, x, y, z)
        if min(sides) >= -_SLACK:
            return face
        chosen = _farthest(sides, neighbors, face, last)
        if step > _TURNS:
            chance = (1103515245 * chance + 12345) % 2147483648
            k = (chance >> 16) % 3
            if sides[k] < -_SLACK and neighbors[face, k] != _NONE:
                chosen = neighbors[face, k]
        if chosen == _NONE and last == _NONE:
            return _NONE
        face, last = last if chosen == _NONE else chosen, face
    return _NONE


@njit(cache=True, nogil=True, inline="always")
def _farthest(sides: tuple[float, float, float], neighbors: _Integers, face: int, last: int) -> int:
    """Triangle across the side that the point lies farthest beyond, other than the last one; -1 if there is none."""
    worst, chosen = -_SLACK, _NONE
    for k in range(3):
        g = neighbors[face, k]
        if sides[k] < worst and g not in (_NONE, last):
            worst, chosen = sides[k], g
    return chosen


@njit(cache=True, nogil=True)
def _search(vertices: _Floats, faces: _Integers, x: float, y: float, z: float) -> int:
    """Try all triangles, for what a walk does not reach: across borders and folds."""
    best, found = -1e-9, _NONE
    for f in range(len(faces)):
        first, second, third = _sides(vertices, faces, f, x, y, z)
        total = first + second + third
        if total > 0:
            least = min(first, second, third) / total
            if least > best:
                best, found = least, f
    return found


@njit(cache=True, nogil=True)
def _walk_all(  # noqa: PLR0913
    vertices: _Floats,
    faces: _Integers,
    neighbors: _Integers,
    starts: _Integers,
    points: _Floats,
    start: _Integers,
) -> tuple[NDArray[np.int64], _Floats]:
    face = np.full(len(points), _NONE)
    weights = np.full((len(points), 3), np.nan)
    cells, order = _by_cell(points, len(starts))
    for q in order:
        x, y, z = points[q, 0], points[q, 1], points[q, 2]
        length = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / length, y / length, z / length
        found = _walk_one(vertices, faces, neighbors, x, y, z, start[q] if len(start) else starts[cells[q]])
        if found == _NONE:
            found = _search(vertices, faces, x, y, z)
        if found != _NONE:
            face[q] = found
            sides = _sides(vertices, faces, found, x, y, z)
            total = sides[0] + sides[1] + sides[2]
            weights[q, 0], weights[q, 1], weights[q, 2] = sides[0] / total, sides[1] / total, sides[2] / total
    return face, weights


@njit(cache=True, nogil=True)
def _by_cell(points: _Floats, count: int) -> tuple[_Integers, _Integers]:
    """Cell of each point, and the points cell by cell without those that have none: neighbors then share the cache."""
    side = round(math.sqrt(count / 6))
    cells = np.full(len(points), np.int32(count))
    begin = np.zeros(count + 2, np.int32)
    for q in range(len(points)):
        x, y, z = points[q, 0], points[q, 1], points[q, 2]
        if 0 < x * x + y * y + z * z < np.inf:
            cells[q] = _cell(x, y, z, side)
        begin[cells[q] + 1] += 1
    for cell in range(count):
        begin[cell + 1] += begin[cell]
    order = np.empty(begin[count], np.int32)
    for q in range(len(points)):
        if cells[q] < count:
            order[begin[cells[q]]] = q
            begin[cells[q]] += 1
    return cells, order
