"""Which triangle of a mesh is seen at each pixel: one pass for a view, whatever maps are then shown in it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["VisibleSurface", "visible_surface"]

_NONE = -1
_SLACK = -1e-9  # a pixel on a common side belongs to one of both triangles, whatever the rounding


class VisibleSurface(NamedTuple):
    """What is seen of a mesh.

    Attributes:
        face: number of the nearest triangle at each pixel, -1 beside the mesh, ``(H, W)`` int64, top row first.
        weights: of its three corners, which sum to 1, ``(H, W, 3)``; zeros beside the mesh.
        faces: vertices of the triangles, ``(F, 3)``.
    """

    face: NDArray[np.int64]
    weights: NDArray[np.float64]
    faces: NDArray[np.int64]

    def at(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values at the vertices ``(V, ...)``, linear on each triangle, at the pixels ``(H, W, ...)``; NaN beside."""
        corners = np.asarray(values, np.float64)[self.faces[np.maximum(self.face, 0)]]
        pixels = np.einsum("hwc,hwc...->hw...", self.weights, corners)
        pixels[self.face < 0] = np.nan
        return np.asarray(pixels)


def visible_surface(points: NDArray[Any], faces: NDArray[Any], shape: tuple[int, int]) -> VisibleSurface:
    """Look at a mesh from the front, without perspective.

    Both sides of a triangle are seen, and the nearest one wins at each pixel, so that open and folded meshes are shown
    as they are.

    Args:
        points: vertices in pixels, ``(V, 3)``: to the right from the left edge of the picture, down from its top edge,
            and towards the viewer. The center of the first pixel is at (0.5, 0.5).
        faces: ``(F, 3)``.
        shape: height and width of the picture in pixels.

    Raises:
        ValueError: if an array has another shape, a point is not finite, or a face names another vertex.
    """
    points, faces = np.ascontiguousarray(points, np.float64), np.ascontiguousarray(faces, np.int64)
    for name, array in (("points", points), ("faces", faces)):
        if array.ndim != 2 or array.shape[1] != 3:  # noqa: PLR2004
            raise ValueError(f"{name} must be (n, 3), got shape {array.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite.")
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(points):
        raise ValueError(f"faces must name vertices 0 to {len(points) - 1}, got {faces.min()} to {faces.max()}.")
    face, weights = np.full(shape, _NONE, np.int64), np.zeros((*shape, 3))
    _draw_all(points, faces, face, weights, np.full(shape, -np.inf))
    return VisibleSurface(face, weights, faces)


@njit(cache=True, nogil=True, inline="always")
def _twice_area(a: NDArray[np.float64], b: NDArray[np.float64], x: float, y: float) -> float:
    """Twice the signed area of a triangle in the picture, whose third corner is (x, y)."""
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, inline="always")
def _draw(
    corners: NDArray[np.float64],
    number: int,
    face: NDArray[np.int64],
    weights: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> None:
    """Draw one triangle where nothing nearer is."""
    a, b, c = corners
    area = _twice_area(a, b, c[0], c[1])
    if area == 0:
        return
    # Pixels whose centers lie in the triangle's box.
    left, right = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
    top, bottom = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
    height, width = face.shape
    for row in range(max(0, int(np.ceil(top - 0.5))), min(height, int(np.floor(bottom - 0.5)) + 1)):
        for column in range(max(0, int(np.ceil(left - 0.5))), min(width, int(np.floor(right - 0.5)) + 1)):
            x, y = column + 0.5, row + 0.5
            u = _twice_area(b, c, x, y) / area
            v = _twice_area(c, a, x, y) / area
            w = 1 - u - v
            near = u * a[2] + v * b[2] + w * c[2]
            if min(u, v, w) >= _SLACK and near > depth[row, column]:
                depth[row, column], face[row, column] = near, number
                weights[row, column, 0], weights[row, column, 1], weights[row, column, 2] = u, v, w


@njit(cache=True, nogil=True)
def _draw_all(
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    face: NDArray[np.int64],
    weights: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> None:
    for number in range(len(faces)):
        _draw(points[faces[number]], number, face, weights, depth)
