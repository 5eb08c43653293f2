"""Nearest triangle of a point: a tree of boxes over triangles in the order of a space-filling curve."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monai_cortex.geometry.point_triangle import closest_on_triangle, triangle_rows

__all__ = ["TriangleTree", "nearest_triangle", "triangle_tree"]

_LEAF = 4  # triangles in a box at the tree's end
_BITS = 10  # of the curve along each axis
_Floats = NDArray[np.float64]


class TriangleTree(NamedTuple):
    """Triangles in the tree's order, and its boxes.

    Attributes:
        rows: corner and sides of each triangle, ``(F, 9)``, as in :func:`triangle_rows`.
        balls: center and radius of a ball around each triangle, ``(F, 4)``.
        order: each triangle's number in the mesh, ``(F,)``.
        boxes: lowest and highest corner, ``(2 N, 6)``; box n contains boxes 2 n and 2 n + 1, the first is box 1.
    """

    rows: _Floats
    balls: _Floats
    order: NDArray[np.int64]
    boxes: _Floats


def triangle_tree(vertices: NDArray[Any], faces: NDArray[Any]) -> TriangleTree:
    """Build the tree of a mesh that has at least one triangle.

    Args:
        vertices: finite, ``(V, 3)``, mm.
        faces: ``(F, 3)``, each index in [0, V - 1].
    """
    rows = triangle_rows(vertices, faces)
    order = np.argsort(_curve(rows))
    rows = rows[order]
    leaves = 1 << max(0, -(-len(rows) // _LEAF) - 1).bit_length()
    return TriangleTree(rows, _balls(rows), order, _boxes(rows, leaves))


@njit(cache=True, nogil=True)
def nearest_triangle(  # noqa: PLR0913
    tree: TriangleTree, x: float, y: float, z: float, best: float, face: int, stack: _Floats
) -> tuple[float, int]:
    """Find the triangle nearest to a point.

    Args:
        tree: of the mesh.
        x, y, z: the point, mm.
        best: squared distance in mm^2 from which on nothing is looked for.
        face: what is returned where no triangle is nearer than that.
        stack: room to work in, ``(64, 2)``.

    Returns:
        Squared distance and row of the triangle in the tree, or ``best`` and ``face`` as they were.
    """
    half = len(tree.boxes) // 2
    stack[0, 0], stack[0, 1], top = 1, 0, 1
    while top > 0:
        top -= 1
        if stack[top, 1] >= best:
            continue
        node = int(stack[top, 0])
        while 0 < node < half:
            near, far = _to_box(tree.boxes, 2 * node, x, y, z), _to_box(tree.boxes, 2 * node + 1, x, y, z)
            node = 2 * node
            if far < near:
                near, far, node = far, near, node + 1
            if far < best:
                stack[top, 0], stack[top, 1] = node ^ 1, far
                top += 1
            if near >= best:
                node = 0
        if node > 0:
            best, face = _search_leaf(tree, (node - half) * _LEAF, x, y, z, best, face)
    return best, face


@njit(cache=True, nogil=True, inline="always")
def _search_leaf(  # noqa: PLR0913
    tree: TriangleTree, begin: int, x: float, y: float, z: float, best: float, face: int
) -> tuple[float, int]:
    """A ball that is farther away than the best so far spares the exact distance."""
    reach = np.sqrt(best)
    for f in range(begin, min(begin + _LEAF, len(tree.rows))):
        dx, dy, dz = x - tree.balls[f, 0], y - tree.balls[f, 1], z - tree.balls[f, 2]
        limit = reach + tree.balls[f, 3]
        if dx * dx + dy * dy + dz * dz < limit * limit:
            squared = closest_on_triangle(tree.rows, f, x, y, z)[0]
            if squared < best:
                best, face, reach = squared, f, np.sqrt(squared)
    return best, face


@njit(cache=True, nogil=True, inline="always")
def _to_box(boxes: _Floats, node: int, x: float, y: float, z: float) -> float:
    """Squared distance to a box, 0 inside; infinite for an empty one."""
    dx: float = max(boxes[node, 0] - x, x - boxes[node, 3], 0.0)
    dy: float = max(boxes[node, 1] - y, y - boxes[node, 4], 0.0)
    dz: float = max(boxes[node, 2] - z, z - boxes[node, 5], 0.0)
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True)
def _curve(rows: _Floats) -> NDArray[np.int64]:
    """Place of each triangle's center on a curve that visits all cells of a cube, those of an octant together."""
    centers = np.empty((len(rows), 3))
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for f in range(len(rows)):
        for axis in range(3):
            centers[f, axis] = rows[f, axis] + (rows[f, 3 + axis] + rows[f, 6 + axis]) / 3
            low[axis], high[axis] = min(low[axis], centers[f, axis]), max(high[axis], centers[f, axis])
    scale = ((1 << _BITS) - 1) / max((high - low).max(), 1e-300)
    result = np.zeros(len(rows), np.int64)
    for f in range(len(rows)):
        for axis in range(3):
            cell = int((centers[f, axis] - low[axis]) * scale)
            for bit in range(_BITS):
                result[f] |= (cell >> bit & 1) << (3 * bit + axis)
    return result


@njit(cache=True, nogil=True)
def _balls(rows: _Floats) -> _Floats:
    """Ball about the centroid; a little larger, so that rounding leaves no corner outside."""
    balls = np.empty((len(rows), 4))
    for f in range(len(rows)):
        farthest = 0.0
        for corner in range(3):
            squared = 0.0
            for axis in range(3):
                side = rows[f, 3 * corner + axis] if corner > 0 else 0.0
                squared += (side - (rows[f, 3 + axis] + rows[f, 6 + axis]) / 3) ** 2
            farthest = max(farthest, squared)
        for axis in range(3):
            balls[f, axis] = rows[f, axis] + (rows[f, 3 + axis] + rows[f, 6 + axis]) / 3
        balls[f, 3] = np.sqrt(farthest) * (1 + 1e-9) + 1e-9
    return balls


@njit(cache=True, nogil=True)
def _boxes(rows: _Floats, leaves: int) -> _Floats:
    boxes = np.empty((2 * leaves, 6))
    boxes[:, :3], boxes[:, 3:] = np.inf, -np.inf
    for f in range(len(rows)):
        node = leaves + f // _LEAF
        for axis in range(3):
            a, b, c = rows[f, axis], rows[f, axis] + rows[f, 3 + axis], rows[f, axis] + rows[f, 6 + axis]
            boxes[node, axis] = min(boxes[node, axis], a, b, c)
            boxes[node, 3 + axis] = max(boxes[node, 3 + axis], a, b, c)
    for node in range(leaves - 1, 0, -1):
        for axis in range(3):
            boxes[node, axis] = min(boxes[2 * node, axis], boxes[2 * node + 1, axis])
            boxes[node, 3 + axis] = max(boxes[2 * node, 3 + axis], boxes[2 * node + 1, 3 + axis])
    return boxes
