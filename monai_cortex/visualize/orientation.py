"""From array axes to anatomical axes: every picture shows right, anterior and superior the same way."""

from __future__ import annotations

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Orientation", "closest_orientation", "to_ras"]


class Orientation(NamedTuple):
    """How the axes of a volume lie in the scanner.

    Attributes:
        axes: array axis that runs closest to right, anterior and superior, in this order.
        flips: whether that array axis runs to left, posterior or inferior instead.
        spacing: voxel size along right, anterior and superior, ``(3,)`` mm.
        frame: rows are the unit RAS+ directions of the three reordered axes, ``(3, 3)``; a proper rotation, the
            identity unless the volume is oblique.
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]
    spacing: NDArray[np.float64]
    frame: NDArray[np.float64]


def closest_orientation(affine: ArrayLike) -> Orientation:
    """Match each world axis with the array axis that runs closest to it.

    Args:
        affine: voxel indices to RAS+ mm, ``(4, 4)``; may be oblique, mirrored or sheared.

    Returns:
        The permutation, flips, voxel size and residual rotation.

    Raises:
        ValueError: if the affine has another shape, is not finite or maps the volume to a plane.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.linalg.det(matrix[:3, :3]) == 0:
        raise ValueError(f"need an invertible (4, 4) affine from voxels to mm, got {matrix.tolist()}.")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    directions = _nearest_rotation(matrix[:3, :3] / spacing)
    axes = max(permutations(range(3)), key=lambda order: float(np.abs(directions[range(3), order]).sum()))
    frame = directions[:, axes].T
    flips = np.diag(frame) < 0
    frame = np.where(flips[:, None], -frame, frame)
    return Orientation(axes, tuple(flips.tolist()), spacing[list(axes)], frame)


def to_ras(volume: ArrayLike, orientation: Orientation) -> NDArray[Any]:
    """Permute and flip the last three axes so that indices grow to right, anterior and superior.

    Args:
        volume: array ``(..., I, J, K)``; leading axes stay.
        orientation: of the volume.

    Returns:
        View of the array, ``(..., R, A, S)``.
    """
    array = np.asarray(volume)
    lead = array.ndim - 3
    array = array.transpose(*range(lead), *(lead + axis for axis in orientation.axes))
    flipped: NDArray[Any] = np.flip(array, tuple(lead + world for world in range(3) if orientation.flips[world]))
    return flipped


def _nearest_rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthogonal factor of the polar decomposition, ``(3, 3)``."""
    left, _, right = np.linalg.svd(matrix)
    rotation: NDArray[np.float64] = left @ right
    return rotation
