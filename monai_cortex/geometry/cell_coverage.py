"""How much of each voxel lies inside a closed surface: the basis of partial volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.geometry.grid_columns import Crossings, column_crossings, grid_mesh, mesh_in_voxels
from monai_cortex.geometry.mesh import Mesh

__all__ = ["cell_coverage"]


def cell_coverage(mesh: Mesh, shape: Sequence[int], affine: Any, columns: int = 4) -> Tensor:
    """Share of each voxel's cell that lies inside a closed mesh.

    Exact along k; across, the mean over evenly spread columns. A place in which the mesh overlaps itself counts once.

    Args:
        mesh: vertices ``(V, 3)`` in mm; faces ``(F, 3)``, counter-clockwise seen from outside.
        shape: of the grid, I, J and K.
        affine: voxel to mm, ``(4, 4)``, tensor or array; voxel centers lie at whole indices.
        columns: for each voxel along i, and as many along j.

    Returns:
        Shares in [0, 1], ``(I, J, K)`` float32.

    Raises:
        ValueError: if mesh or grid cannot be used (see :func:`signed_distance`), or there is not a column.
    """
    if columns < 1:
        raise ValueError(f"columns must be at least 1 for each voxel, got {columns}.")
    grid = grid_mesh(mesh, shape, affine)
    points, faces = mesh_in_voxels(grid)
    crossings = column_crossings(points, faces, grid.shape[:2], columns)
    return torch.from_numpy(_cover(crossings, grid.shape, columns).astype(np.float32)).to(mesh.vertices.device)


@njit(cache=True, nogil=True)
def _cover(crossings: Crossings, shape: tuple[int, int, int], parts: int) -> NDArray[np.float64]:
    shares = np.zeros(shape)
    for column in range(len(crossings.begin) - 1):
        i, j = column // (shape[1] * parts) // parts, column % (shape[1] * parts) // parts
        turns, entry = 0, 0.0
        for at in range(crossings.begin[column], crossings.begin[column + 1]):
            before = turns
            turns += crossings.turn[at]
            if before <= 0 < turns:
                entry = crossings.place[at]
            elif turns <= 0 < before:
                _add(shares[i, j], entry, crossings.place[at], 1 / parts**2)
    return shares


@njit(cache=True, nogil=True)
def _add(shares: NDArray[np.float64], low: float, high: float, weight: float) -> None:
    """Add an interval of a column, cell by cell; voxel k reaches from k - 0.5 to k + 0.5."""
    low, high = max(low, -0.5), min(high, len(shares) - 0.5)
    if low < high:
        for k in range(int(np.floor(low + 0.5)), min(int(np.floor(high + 0.5)), len(shares) - 1) + 1):
            shares[k] += weight * max(0.0, min(high, k + 0.5) - max(low, k - 0.5))
