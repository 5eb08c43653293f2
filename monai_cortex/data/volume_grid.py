"""Volumes of a part of a grid, or of a coarser one, put back on the whole grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import affine_transform

__all__ = ["on_grid"]

_NODE = 1e-3  # voxels: nearer to a node than this, nothing is interpolated


def on_grid(
    values: ArrayLike, affine: ArrayLike, shape: Sequence[int], grid_affine: ArrayLike, outside: float = 0.0
) -> NDArray[np.float32]:
    """Values of a volume at the nodes of another grid: copied where both share their nodes, else interpolated.

    Args:
        values: ``(I, J, K)``.
        affine: of the values, voxel indices to RAS+ mm, ``(4, 4)``.
        shape: of the grid.
        grid_affine: of the grid, ``(4, 4)``.
        outside: value of nodes that the volume does not reach, a voxel or more beyond its outermost ones.

    Returns:
        Values on the grid, of its shape; cubic splines, kept within the values' range.
    """
    volume = np.asarray(values, np.float32)
    link = np.linalg.inv(np.asarray(affine, np.float64)) @ np.asarray(grid_affine, np.float64)
    start = np.round(-link[:3, 3]).astype(int)
    shared = np.abs(link[:3, :3] - np.eye(3)).max() * max(shape) < _NODE
    if shared and np.abs(link[:3, 3] + start).max() < _NODE:
        return _paste(volume, start, shape, outside)

    def sample(source: NDArray[np.float32], order: int, beyond: float) -> NDArray[np.float32]:
        place: Any = {"output_shape": tuple(shape), "order": order, "mode": "grid-constant", "cval": beyond}
        return np.asarray(affine_transform(source, link[:3, :3], link[:3, 3], **place))

    result = sample(volume, 3, outside).clip(min(volume.min(), outside), max(volume.max(), outside))
    # Splines swing for some voxels behind a step, such as the one to the outside value.
    result[sample(np.ones_like(volume), 1, 0.0) <= 0] = outside
    return result


def _paste(
    volume: NDArray[np.float32], start: NDArray[np.int_], shape: Sequence[int], outside: float
) -> NDArray[np.float32]:
    result = np.full(tuple(shape), outside, np.float32)
    low, high = np.maximum(start, 0), np.minimum(start + volume.shape, shape)
    if (low < high).all():
        target = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        source = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
        result[target] = volume[source]
    return result
