"""Where the columns of a grid cross a closed mesh: exact inside and outside along each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from monai_cortex.geometry.mesh import Mesh

__all__ = ["Crossings", "GridMesh", "column_crossings", "grid_mesh", "mesh_in_voxels", "open_sides"]

# Columns of the grid hit vertices and edges of meshes that were made on it; beside it by less than anyone measures, in
# two directions without a common measure, they do not.
_ASIDE = np.array([1e-7 * np.sqrt(2), 1e-7 * np.sqrt(3)])
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


class GridMesh(NamedTuple):
    """A mesh and a grid that fit each other, checked.

    Attributes:
        vertices: ``(V, 3)``, mm.
        faces: ``(F, 3)``.
        shape: of the grid.
        affine: voxel to mm, ``(4, 4)``.
    """

    vertices: _Floats
    faces: NDArray[np.int64]
    shape: tuple[int, int, int]
    affine: _Floats


class Crossings(NamedTuple):
    """Crossings of columns with a mesh.

    Attributes:
        begin: where each column's crossings begin, and where those of the last end, ``(columns + 1,)``.
        place: index k at which each crossing lies, rising within a column, ``(N,)``.
        turn: 1 where the column enters the mesh as k rises, -1 where it leaves, ``(N,)``.
    """

    begin: _Integers
    place: _Floats
    turn: _Integers


def grid_mesh(mesh: Mesh, shape: Sequence[int], affine: Any) -> GridMesh:
    """Check a mesh and a grid, and bring them into arrays.

    Args:
        mesh: vertices ``(V, 3)`` in mm and faces ``(F, 3)``.
        shape: of the grid, three positive numbers.
        affine: voxel to mm, ``(4, 4)``, tensor or array.

    Raises:
        ValueError: as in :func:`signed_distance`.
    """
    vertices = mesh.vertices.detach().cpu().double().numpy()
    faces = mesh.faces.detach().cpu().long().numpy()
    matrix = np.asarray(torch.as_tensor(affine).detach().cpu(), np.float64)
    _require_mesh(vertices, faces)
    if len(shape) != 3 or min(shape) < 1:  # noqa: PLR2004
        raise ValueError(f"shape must be three positive numbers of voxels, got {tuple(shape)}.")
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix[:3, :3]) < 3:  # noqa: PLR2004
        raise ValueError(f"affine must be an invertible (4, 4) matrix from voxels to mm, got {matrix.tolist()}.")
    return GridMesh(vertices, faces, (int(shape[0]), int(shape[1]), int(shape[2])), matrix)


def _require_mesh(vertices: _Floats, faces: NDArray[np.int64]) -> None:
    for name, array in (("vertices", vertices), ("faces", faces)):
        if array.ndim != 2 or array.shape[1] != 3 or not len(array):  # noqa: PLR2004
            raise ValueError(f"{name} must have shape (N, 3) with N above 0, got {array.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError(f"{int((~np.isfinite(vertices)).any(1).sum())} of {len(vertices)} vertices are not finite.")
    if not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError(f"faces must name vertices 0 to {len(vertices) - 1}, got {faces.min()} to {faces.max()}.")


def mesh_in_voxels(grid: GridMesh) -> tuple[_Floats, _Integers]:
    """Indices of the vertices in a grid, and faces that turn counter-clockwise there too, without holes.

    A hole is covered by triangles from its rim to the middle of the rim.

    Args:
        grid: mesh and grid.

    Returns:
        Vertices ``(V + holes, 3)`` as indices i, j, k, and faces ``(F + sides of holes, 3)``.

    Raises:
        ValueError: if the mesh is inside out.
    """
    faces, linear = grid.faces, grid.affine[:3, :3]
    points = (grid.vertices - grid.affine[:3, 3]) @ np.linalg.inv(linear).T
    sides = open_sides(faces, len(points))
    if len(sides):
        links = coo_matrix((np.ones(len(sides), bool), sides.T), shape=(len(points), len(points)))
        _, rim = np.unique(connected_components(links, directed=False)[1][sides[:, 0]], return_inverse=True)
        middles = np.stack([np.bincount(rim, points[sides[:, 0], axis]) for axis in range(3)], 1)
        faces = np.concatenate([faces, np.column_stack([sides[:, ::-1], len(points) + rim])])
        points = np.concatenate([points, middles / np.bincount(rim)[:, None]])
    faces = faces if np.linalg.det(linear) > 0 else faces[:, ::-1]
    points, faces = np.ascontiguousarray(points), np.ascontiguousarray(faces, np.int64)
    if _volume(points, faces) < 0:
        raise ValueError("the mesh is inside out: its faces turn clockwise seen from outside; reverse their vertices.")
    return points, faces


def column_crossings(points: _Floats, faces: _Integers, shape: tuple[int, int], parts: int = 1) -> Crossings:
    """Cross the columns of a grid with a closed mesh.

    Args:
        points: vertices as indices i, j, k of the grid, ``(V, 3)``.
        faces: ``(F, 3)``, counter-clockwise seen from outside.
        shape: number of voxels along i and j.
        parts: columns for each voxel along i and along j, evenly spread over the voxel.

    Returns:
        Crossings; column number is ``i * J * parts + j``, with i and j counted in columns.
    """
    place = (points[:, :2] + 0.5) * parts - 0.5 + _ASIDE
    flat = np.ascontiguousarray(np.column_stack([place, points[:, 2]]))
    counts = np.zeros(shape[0] * parts * shape[1] * parts + 1, np.int64)
    nothing = Crossings(counts, np.empty(0), np.empty(0, np.int64))
    _visit(flat, faces, (shape[0] * parts, shape[1] * parts), nothing, False)
    begin = np.cumsum(counts)
    result = Crossings(begin.copy(), np.empty(begin[-1]), np.empty(begin[-1], np.int64))
    _visit(flat, faces, (shape[0] * parts, shape[1] * parts), result, True)
    _sort(begin, result)
    return Crossings(begin, result.place, result.turn)


def open_sides(faces: NDArray[Any], count: int) -> _Integers:
    """Sides that no triangle runs along in the other direction, ``(S, 2)`` from start to end; none in a closed mesh.

    Args:
        faces: ``(F, 3)``.
        count: number of vertices.
    """
    return _open_sides(np.ascontiguousarray(faces, np.int64), count)


@njit(cache=True, nogil=True)
def _open_sides(faces: _Integers, count: int) -> _Integers:
    """Sides by their lower vertex; what is left when those in opposite directions are taken away."""
    begin = np.zeros(count + 1, np.int32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        begin[min(a, b) + 1] += 1
        begin[min(b, c) + 1] += 1
        begin[min(c, a) + 1] += 1
    for v in range(count):
        begin[v + 1] += begin[v]
    filled = begin[:-1].copy()
    others, turns = np.empty(3 * len(faces), np.int32), np.zeros(3 * len(faces), np.int32)
    for f in range(len(faces)):
        u = faces[f, 2]
        for k in range(3):
            v = faces[f, k]
            low, high = min(u, v), max(u, v)
            place = _place(others, begin[low], filled[low], high)
            filled[low] = max(filled[low], place + 1)
            others[place] = high
            turns[place] += (u < v) - (v < u)
            u = v
    return _left_over(begin, others, turns)


@njit(cache=True, nogil=True, inline="always")
def _place(numbers: NDArray[Any], begin: int, end: int, wanted: int) -> int:
    """Where a number is in a range, or the range's end."""
    while begin < end and numbers[begin] != wanted:
        begin += 1
    return begin


@njit(cache=True, nogil=True)
def _left_over(begin: NDArray[Any], others: NDArray[Any], turns: NDArray[Any]) -> _Integers:
    result = np.empty((np.abs(turns).sum(), 2), np.int64)
    found = 0
    for low in range(len(begin) - 1):
        for place in range(begin[low], begin[low + 1]):
            for _ in range(abs(turns[place])):
                result[found, 0] = low if turns[place] > 0 else others[place]
                result[found, 1] = others[place] if turns[place] > 0 else low
                found += 1
    return result


@njit(cache=True, nogil=True)
def _volume(points: _Floats, faces: NDArray[np.int64]) -> float:
    """Six times the volume inside, in voxels, from the first vertex."""
    total = 0.0
    o = points[0]
    for f in range(len(faces)):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        b1, b2, c1, c2 = b[1] - o[1], b[2] - o[2], c[1] - o[1], c[2] - o[2]
        total += (a[0] - o[0]) * (b1 * c2 - b2 * c1)
        total += (b[0] - o[0]) * (c1 * (a[2] - o[2]) - c2 * (a[1] - o[1]))
        total += (c[0] - o[0]) * ((a[1] - o[1]) * b2 - (a[2] - o[2]) * b1)
    return total


@njit(cache=True, nogil=True)
def _visit(points: _Floats, faces: _Integers, shape: tuple[int, int], crossings: Crossings, fill: bool) -> None:
    """Count the crossings of each column, or write them at the column's place."""
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        low_i, high_i = _span(points[a, 0], points[b, 0], points[c, 0], shape[0])
        low_j, high_j = _span(points[a, 1], points[b, 1], points[c, 1], shape[1])
        columns = max(0, high_i - low_i + 1) * max(0, high_j - low_j + 1)
        for step in range(columns):
            i, j = low_i + step // (high_j - low_j + 1), low_j + step % (high_j - low_j + 1)
            turn, place = _cross(points, a, b, c, i, j)
            if turn != 0 and fill:
                at = crossings.begin[i * shape[1] + j]
                crossings.place[at], crossings.turn[at] = place, turn
                crossings.begin[i * shape[1] + j] += 1
            elif turn != 0:
                crossings.begin[i * shape[1] + j + 1] += 1


@njit(cache=True, nogil=True, inline="always")
def _span(a: float, b: float, c: float, count: int) -> tuple[int, int]:
    """First and last whole number between three, of those below a count."""
    return int(min(max(np.ceil(min(a, b, c)), 0.0), count)), int(max(min(np.floor(max(a, b, c)), count - 1.0), -1.0))


@njit(cache=True, nogil=True, inline="always")
def _cross(points: _Floats, a: int, b: int, c: int, i: int, j: int) -> tuple[int, float]:
    """Turn and place of a column's crossing with a triangle, turn 0 if it passes by."""
    first, second, third = _beside(points, b, c, i, j), _beside(points, c, a, i, j), _beside(points, a, b, i, j)
    left = (first > 0 if b < c else first >= 0) + (second > 0 if c < a else second >= 0)
    left += third > 0 if a < b else third >= 0
    if left not in (0, 3):
        return 0, 0.0
    low = min(points[a, 2], points[b, 2], points[c, 2])
    high = max(points[a, 2], points[b, 2], points[c, 2])
    total = first + second + third
    place = (first * points[a, 2] + second * points[b, 2] + third * points[c, 2]) / total if total != 0 else low
    return (1 if left == 0 else -1), min(high, max(low, place))


@njit(cache=True, nogil=True, inline="always")
def _beside(points: _Floats, start: int, end: int, i: int, j: int) -> float:
    """Whether a column lies left of a side: computed from its lower vertex, so that both its triangles agree."""
    low, high = min(start, end), max(start, end)
    value: float = (points[high, 0] - points[low, 0]) * (j - points[low, 1])
    value -= (points[high, 1] - points[low, 1]) * (i - points[low, 0])
    return value if start < end else -value


@njit(cache=True, nogil=True)
def _sort(begin: _Integers, crossings: Crossings) -> None:
    """By place within each column; of two at one place, the one that enters first."""
    place, turn = crossings.place, crossings.turn
    for column in range(len(begin) - 1):
        for right in range(begin[column] + 1, begin[column + 1]):
            at = right
            while at > begin[column] and (place[at - 1], -turn[at - 1]) > (place[at], -turn[at]):
                place[at - 1], place[at] = place[at], place[at - 1]
                turn[at - 1], turn[at] = turn[at], turn[at - 1]
                at -= 1
