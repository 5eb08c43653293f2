"""The nearest point of a surface."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.point_triangle import closest_on_triangle
from monai_cortex.geometry.triangle_tree import TriangleTree, nearest_triangle, triangle_tree

__all__ = ["ClosestPoints", "closest_points"]

_STACK = (64, 2)  # what nearest_triangle asks for
_Floats = NDArray[np.float64]


class ClosestPoints(NamedTuple):
    """Where a surface comes nearest to P points.

    Attributes:
        points: on the surface, mm, ``(P, 3)`` float64.
        faces: triangle that each lies on, one of them where several meet, ``(P,)`` int64.
        distances: to it, mm, 0 or more, ``(P,)`` float64.
    """

    points: Tensor
    faces: Tensor
    distances: Tensor


def closest_points(points: Tensor, mesh: Mesh) -> ClosestPoints:
    """Find the exact nearest point of a triangle mesh, inside its triangles and not only among its vertices.

    Args:
        points: mm, ``(P, 3)``.
        mesh: vertices ``(V, 3)`` in mm and faces ``(F, 3)``, at least one; open and folded ones too.

    Returns:
        Nearest points, their triangles and distances.

    Raises:
        GeometryError: a coordinate is not finite, an array has another shape, or a face names another vertex.
    """
    wanted, vertices = _coordinates(points, "points"), _coordinates(mesh.vertices, "vertices")
    faces = np.ascontiguousarray(mesh.faces.detach().cpu().long().numpy())
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or not 0 <= faces.min() <= faces.max() < len(vertices):  # noqa: PLR2004
        raise GeometryError(
            "a surface needs triangles that name its vertices",
            found=f"faces of shape {tuple(faces.shape)}",
            expected=f"(F, 3), F at least 1, with indices from 0 to {len(vertices) - 1}",
        )
    tree = triangle_tree(vertices, faces)
    found, rows, squares = _search(tree, wanted)
    return ClosestPoints(torch.from_numpy(found), torch.from_numpy(tree.order[rows]), torch.from_numpy(squares).sqrt())


def _coordinates(points: Tensor, name: str) -> _Floats:
    array = np.ascontiguousarray(points.detach().cpu().double().as_subclass(Tensor).numpy())
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():  # noqa: PLR2004
        raise GeometryError(
            f"the {name} cannot be compared with a surface",
            found=f"shape {array.shape}, {int((~np.isfinite(array)).sum())} numbers not finite",
            expected="(N, 3), finite, in mm",
        )
    return array


@njit(cache=True, nogil=True)
def _search(tree: TriangleTree, points: _Floats) -> tuple[_Floats, NDArray[np.int64], _Floats]:
    found, rows, squares = np.empty((len(points), 3)), np.empty(len(points), np.int64), np.empty(len(points))
    stack, last = np.empty(_STACK), 0
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        # Vertices that follow each other are often neighbors: the triangle of the last one bounds the search.
        bound = closest_on_triangle(tree.rows, last, x, y, z)[0]
        _, last = nearest_triangle(tree, x, y, z, bound, last, stack)
        squares[n], found[n, 0], found[n, 1], found[n, 2] = closest_on_triangle(tree.rows, last, x, y, z)
        rows[n] = last
    return found, rows, squares
