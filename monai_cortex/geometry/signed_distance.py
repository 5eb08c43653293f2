"""Exact signed distance of a mesh at the nodes of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.geometry.grid_columns import Crossings, GridMesh, column_crossings, grid_mesh, mesh_in_voxels
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.narrow_band import block_lattice, lower_in_band, node_at
from monai_cortex.geometry.point_triangle import closest_on_triangle
from monai_cortex.geometry.scattered_distance import scattered_distance
from monai_cortex.geometry.triangle_patches import triangle_patches
from monai_cortex.geometry.triangle_tree import TriangleTree, nearest_triangle, triangle_tree

__all__ = ["signed_distance"]

_PATCH = 2.0  # edge of a patch of triangles, in voxels
_SLAB = 32  # layers that one thread measures at a time; fixed, for each slab rounds its nodes' places in its own way
_Floats = NDArray[np.float64]


def signed_distance(mesh: Mesh, shape: Sequence[int], affine: Any, band: float | None = None) -> Tensor:
    """Distance from each node of a grid to a surface, negative inside.

    The distance to the triangles themselves, not to their vertices, exact to rounding. Inside is where the surface
    winds around a node once or more: in an overlap too, and in an open mesh, whose holes are covered for the sign. The
    grid may be anisotropic, oblique, sheared or left-handed. As many threads as torch uses share the work; the result
    does not depend on them. On a GPU the distances in a band are computed there; those without a band on the CPU.

    Args:
        mesh: vertices ``(V, 3)`` in mm; faces ``(F, 3)``, counter-clockwise seen from outside.
        shape: of the grid, I, J and K.
        affine: voxel to mm, ``(4, 4)``, tensor or array.
        band: mm; farther away only the sign is computed, with this as the distance. Everywhere by default.

    Returns:
        Signed distance in mm at node ``affine @ (i, j, k, 1)``, ``(I, J, K)``, in the vertices' type.

    Raises:
        ValueError: if the mesh is empty, not finite, inside out or names vertices that it has not; if the grid is empty
            or its affine not invertible; if the band is not positive.
    """
    if band is not None and not band > 0:
        raise ValueError(f"band must be a positive distance in mm, got {band}.")
    grid = grid_mesh(mesh, shape, affine)
    if band is not None and mesh.vertices.is_cuda:
        return _on_device(mesh, grid, float(band))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        crossings = pool.submit(_cross, grid)
        squared = _squared_everywhere(grid, pool) if band is None else _squared_in_band(grid, float(band), pool)
        _take_root(crossings.result(), squared)
    return torch.from_numpy(squared).to(mesh.vertices)


def _on_device(mesh: Mesh, grid: GridMesh, band: float) -> Tensor:
    device = mesh.vertices.device
    points, faces = mesh_in_voxels(grid)
    closed = Mesh(torch.from_numpy(points).to(device), torch.from_numpy(faces).to(device))
    affine = torch.from_numpy(grid.affine).to(device)
    return scattered_distance(Mesh(mesh.vertices.double(), mesh.faces), closed, grid.shape, affine, band).to(
        mesh.vertices
    )


def _cross(grid: GridMesh) -> Crossings:
    points, faces = mesh_in_voxels(grid)
    return column_crossings(points, faces, grid.shape[:2])


def _squared_in_band(grid: GridMesh, band: float, pool: ThreadPoolExecutor) -> _Floats:
    """Squared distances, those beyond the band as its square; slabs of the grid one by one."""
    edge = float(np.linalg.norm(grid.affine[:3, :3], axis=0).mean())
    patches = pool.submit(triangle_patches, grid.vertices, grid.faces, _PATCH * edge).result()
    squared = np.empty(grid.shape)
    cuts = np.linspace(0, grid.shape[0], -(-grid.shape[0] // _SLAB) + 1).astype(int)

    def measure(first: int, last: int) -> None:
        affine = grid.affine.copy()
        affine[:3, 3] += affine[:3, 0] * first
        squared[first:last] = band * band
        lower_in_band(patches, block_lattice(affine), squared[first:last], band)

    list(pool.map(measure, cuts[:-1], cuts[1:]))
    return squared


def _squared_everywhere(grid: GridMesh, pool: ThreadPoolExecutor) -> _Floats:
    tree = pool.submit(triangle_tree, grid.vertices, grid.faces).result()
    squared = np.empty(grid.shape)
    list(pool.map(lambda i: _search_plane(tree, grid.affine, squared, i), range(grid.shape[0])))
    return squared


@njit(cache=True, nogil=True)
def _search_plane(tree: TriangleTree, affine: _Floats, squared: _Floats, i: int) -> None:
    """To and fro, so that each node is next to the one before: its nearest triangle is a good first guess."""
    stack = np.empty((64, 2))
    face = -1
    for step in range(squared.shape[1] * squared.shape[2]):
        j, k = step // squared.shape[2], step % squared.shape[2]
        k = squared.shape[2] - 1 - k if j % 2 else k
        x, y, z = node_at(affine, i, j, k)
        limit = np.inf if face < 0 else closest_on_triangle(tree.rows, face, x, y, z)[0]
        squared[i, j, k], face = nearest_triangle(tree, x, y, z, limit, face, stack)


@njit(cache=True, nogil=True)
def _take_root(crossings: Crossings, squared: _Floats) -> None:
    """Distances from their squares, negative where a column has entered the mesh more often than left it."""
    shape = squared.shape
    for column in range(shape[0] * shape[1]):
        i, j = column // shape[1], column % shape[1]
        turns, begin = 0, 0
        for at in range(crossings.begin[column], crossings.begin[column + 1] + 1):
            last = at == crossings.begin[column + 1]
            end = shape[2] if last else min(shape[2], max(begin, int(np.ceil(crossings.place[at]))))
            sign = -1.0 if turns > 0 else 1.0
            for k in range(begin, end):
                squared[i, j, k] = sign * np.sqrt(squared[i, j, k])
            begin = end
            turns += 0 if last else crossings.turn[at]
