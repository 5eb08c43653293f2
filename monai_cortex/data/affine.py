"""Voxel-to-world affines: what makes one usable, and when two are the same."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["affine_gap", "is_usable", "rotation_of"]

_CONDITION = 1e5


def affine_gap(first: ArrayLike, second: ArrayLike, shape: tuple[int, ...]) -> float:
    """Largest distance between where two affines put a corner of the grid, in units of the smallest voxel edge.

    Args:
        first, second: voxel to RAS+ mm, ``(4, 4)``, the edge taken from the first.
        shape: of the grid, ``(I, J, K, ...)``.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    corners = np.array([(*corner, 1) for corner in product(*((0, size - 1) for size in shape[:3]))], np.float64)
    edge = np.linalg.norm(a[:3, :3], axis=0).min()
    return float(np.linalg.norm(corners @ (a - b)[:3].T, axis=1).max() / edge)


def is_usable(affine: ArrayLike) -> bool:
    """Whether an affine ``(4, 4)`` is finite and invertible."""
    matrix = np.asarray(affine, np.float64)
    return bool(np.isfinite(matrix).all() and np.linalg.cond(matrix[:3, :3]) < _CONDITION)


def rotation_of(affine: ArrayLike) -> NDArray[np.float64]:
    """Orthogonal polar factor of an affine's linear part, ``(3, 3)``; determinant -1 where the affine mirrors.

    Without shear these are the normalized columns.
    """
    left, _, right = np.linalg.svd(np.asarray(affine, np.float64)[:3, :3])
    return np.asarray(left @ right, np.float64)
