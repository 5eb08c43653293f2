"""Distance to triangles at the nodes of a grid near them: a first guess, then all triangles that could be nearer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monai_cortex.geometry.point_triangle import closest_on_triangle
from monai_cortex.geometry.triangle_patches import TrianglePatches

__all__ = ["Lattice", "guess_distances", "improve_distances", "node_at"]

_NOBODY = -1
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int32]


class Lattice(NamedTuple):
    """Where the nodes of a grid are.

    Attributes:
        affine: voxel to mm, ``(4, 4)``.
        inverse: mm to voxel, ``(4, 4)``.
    """

    affine: _Floats
    inverse: _Floats


@njit(cache=True, nogil=True, inline="always")
def node_at(affine: _Floats, i: float, j: float, k: float) -> tuple[float, float, float]:
    """A point carried by an affine ``(4, 4)``."""
    x = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]
    y = affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]
    return x, y, affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]


@njit(cache=True, nogil=True)
def guess_distances(patches: TrianglePatches, lattice: Lattice, field: _Floats) -> None:
    """Lower squared distances to that of a triangle known to be near, mostly the nearest.

    Each triangle is given to the node nearest to its center; from there each node hands its triangle on to neighbors.

    Args:
        patches: the triangles.
        lattice: of the grid.
        field: squared distances in mm^2, where it begins the square of the band, ``(I, J, K)``; changed in place.
    """
    rows, affine, inverse = patches.rows, lattice.affine, lattice.inverse
    shape = field.shape
    owners, queue = np.full(shape, np.int32(_NOBODY)), np.empty((field.size, 3), np.int32)
    filled = 0
    for f in range(len(rows)):
        x, y, z = _middle(rows, f)
        i, j, k = node_at(inverse, x, y, z)
        node = (int(np.floor(i + 0.5)), int(np.floor(j + 0.5)), int(np.floor(k + 0.5)))
        if _within(node, shape) and _offer(rows, affine, field, owners, f, node):
            queue[filled, 0], queue[filled, 1], queue[filled, 2] = node
            filled += 1
    filled = _spread(rows, affine, field, owners, queue, filled)
    for q in range(filled):
        i, j, k = queue[q, 0], queue[q, 1], queue[q, 2]
        x, y, z = node_at(affine, i, j, k)
        field[i, j, k] = closest_on_triangle(rows, owners[i, j, k], x, y, z)[0]


@njit(cache=True, nogil=True)
def _spread(rows: _Floats, affine: _Floats, field: _Floats, owners: _Integers, queue: _Integers, filled: int) -> int:
    """From each node of a growing queue to its six neighbors."""
    shape, done = field.shape, 0
    while done < filled:
        i, j, k = queue[done, 0], queue[done, 1], queue[done, 2]
        done += 1
        for side in range(6):
            step, axis = 1 - 2 * (side % 2), side // 2
            node = (i + step * (axis == 0), j + step * (axis == 1), k + step * (axis == 2))  # noqa: PLR2004
            if _within(node, shape) and _offer(rows, affine, field, owners, owners[i, j, k], node):
                queue[filled, 0], queue[filled, 1], queue[filled, 2] = node
                filled += 1
    return filled


@njit(cache=True, nogil=True, inline="always")
def _within(node: tuple[int, int, int], shape: tuple[int, ...]) -> bool:
    return 0 <= node[0] < shape[0] and 0 <= node[1] < shape[1] and 0 <= node[2] < shape[2]


@njit(cache=True, nogil=True, inline="always")
def _middle(rows: _Floats, f: int) -> tuple[float, float, float]:
    """Center of a triangle."""
    x, y = rows[f, 0] + (rows[f, 3] + rows[f, 6]) / 3, rows[f, 1] + (rows[f, 4] + rows[f, 7]) / 3
    return x, y, rows[f, 2] + (rows[f, 5] + rows[f, 8]) / 3


@njit(cache=True, nogil=True, inline="always")
def _offer(
    rows: _Floats, affine: _Floats, field: _Floats, owners: _Integers, f: int, node: tuple[int, int, int]
) -> bool:
    """Give a node a triangle whose center is nearer than that of the one before, if any; whether it is the first."""
    if owners[node] == f:
        return False
    x, y, z = node_at(affine, node[0], node[1], node[2])
    u, v, w = _middle(rows, f)
    squared = (x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2
    if squared >= field[node]:
        return False
    first = owners[node] == _NOBODY
    field[node], owners[node] = squared, f
    return bool(first)


@njit(cache=True, nogil=True)
def improve_distances(patches: TrianglePatches, lattice: Lattice, field: _Floats, band: float) -> None:
    """Lower squared distances to those of the nearest triangles.

    Every triangle within the band of a node is either measured or known to be no nearer than another one.

    Args:
        patches: the triangles.
        lattice: of the grid.
        field: squared distances in mm^2 to other triangles, at most the square of the band, ``(I, J, K)``; changed in
            place.
        band: mm.
    """
    # Arrays are taken out of the tuples here: in the loops, each time would count as one more owner of the array.
    # Numbers without a sign spare the question whether an index counts from the end, and let loops take many at a time.
    rows, discs, begin = patches.rows, patches.discs, patches.begin.astype(np.uint64)
    affine, inverse, cylinders = lattice.affine, lattice.inverse, patches.cylinders
    bounds, room = np.empty((3, field.shape[2])), np.empty(np.max(np.diff(patches.begin)))
    bounds[0] = np.arange(field.shape[2])
    for p in range(len(cylinders)):
        reach = band + np.sqrt(cylinders[p, 6] ** 2 + cylinders[p, 7] ** 2)
        low_i, high_i = _span(inverse, 0, cylinders, p, reach)
        low_j, high_j = _span(inverse, 1, cylinders, p, reach)
        low_i, high_i = max(low_i, 0), min(high_i, field.shape[0])
        low_j, high_j = max(low_j, 0), min(high_j, field.shape[1])
        columns = max(0, high_i - low_i) * max(0, high_j - low_j)
        for column in range(columns):
            i, j = low_i + column // (high_j - low_j), low_j + column % (high_j - low_j)
            for n in range(_bound_column(cylinders, p, affine, field, (i, j), reach, bounds)):
                k = int(bounds[2, n])
                point = node_at(affine, i, j, k)
                field[i, j, k] = _nearest(rows, discs, begin[p], begin[p + 1], point, field[i, j, k], room)


@njit(cache=True, nogil=True, inline="always")
def _span(inverse: _Floats, axis: int, cylinders: _Floats, p: int, reach: float) -> tuple[int, int]:
    """First index along an axis, and the one after the last, that a ball around a patch can hold."""
    x, y, z = inverse[axis, 0], inverse[axis, 1], inverse[axis, 2]
    middle = x * cylinders[p, 0] + y * cylinders[p, 1] + z * cylinders[p, 2] + inverse[axis, 3]
    half = reach * np.sqrt(x * x + y * y + z * z)
    return int(max(np.ceil(middle - half), -1.0)), int(min(np.floor(middle + half), 1e9)) + 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "ninf"})
def _bound_column(
    cylinders: _Floats,
    p: int,
    affine: _Floats,
    field: _Floats,
    column: tuple[int, int],
    reach: float,
    bounds: _Floats,
) -> int:
    """How many nodes of a column may be nearer to a patch than they are known to be; the last bounds name them."""
    a0, a1, a2 = affine[0, 2], affine[1, 2], affine[2, 2]
    x, y, z = node_at(affine, column[0], column[1], 0)
    x, y, z = x - cylinders[p, 0], y - cylinders[p, 1], z - cylinders[p, 2]
    aa, ax, xx = a0 * a0 + a1 * a1 + a2 * a2, x * a0 + y * a1 + z * a2, x * x + y * y + z * z
    inside = ax * ax - aa * (xx - reach * reach)
    if inside <= 0:
        return 0
    half, middle = np.sqrt(inside) / aa, -ax / aa
    begin = int(max(np.ceil(middle - half), 0.0))
    end = int(max(min(np.floor(middle + half), field.shape[2] - 1.0), -1.0)) + 1
    n0, n1, n2, radius, height = cylinders[p, 3], cylinders[p, 4], cylinders[p, 5], cylinders[p, 6], cylinders[p, 7]
    offset, slope = x * n0 + y * n1 + z * n2, a0 * n0 + a1 * n1 + a2 * n2
    for n in range(np.uint64(begin), np.uint64(end)):
        k = bounds[0, n]
        along = offset + k * slope
        beyond = max(0.0, abs(along) - height)
        aside = max(0.0, np.sqrt(max(0.0, xx + k * (2 * ax + k * aa) - along * along)) - radius)
        bounds[1, n] = beyond * beyond + aside * aside
    found = 0
    for k in range(begin, end):
        bounds[2, found] = k
        found += bounds[1, k] < field[column[0], column[1], k]
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "ninf"})
def _nearest(
    rows: _Floats, discs: _Floats, begin: int, end: int, point: tuple[float, float, float], best: float, room: _Floats
) -> float:
    """Least of a squared distance and those to the triangles of a patch; all bounds first, many at a time."""
    x, y, z = point
    for f in range(begin, end):
        q0, q1, q2 = x - discs[0, f], y - discs[1, f], z - discs[2, f]
        along = q0 * discs[3, f] + q1 * discs[4, f] + q2 * discs[5, f]
        beyond = max(0.0, abs(along) - discs[7, f])
        aside = max(0.0, np.sqrt(max(0.0, q0 * q0 + q1 * q1 + q2 * q2 - along * along)) - discs[6, f])
        room[f - begin] = beyond * beyond + aside * aside
    for f in range(begin, end):
        if room[f - begin] < best:
            best = min(best, closest_on_triangle(rows, f, x, y, z)[0])
    return best
