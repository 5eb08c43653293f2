r"""Displacements in voxels and in mm, and from one grid to another.

On a grid with the affine A, a displacement of :math:`u` voxels is :math:`\mathrm{diag}(-1, -1, 1)\,A_{3 \times 3}\,u`
mm in LPS, the axes of ITK, where affines are in RAS+. Fixed and moving image lie on one grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.displacement import voxel_grid, warp
from monai_cortex.geometry.volume_sampling import require_affine

__all__ = ["from_world", "point_into", "resample_displacement", "to_world"]

_AXES = 3


def to_world(ddf: Tensor, affine: ArrayLike | Tensor) -> Tensor:
    """Displacements in mm along the axes of ITK.

    Args:
        ddf: voxels, ``(3, I, J, K)``.
        affine: of the grid, voxel indices to RAS+ mm, ``(4, 4)``.

    Returns:
        mm, LPS, ``(I, J, K, 3)``.

    Raises:
        GeometryError: not a field, or the affine does not place the grid in space.
    """
    _require(ddf, 0)
    return _turn(ddf, _lps(affine)).movedim(0, -1)


def from_world(vectors: Tensor, affine: ArrayLike | Tensor) -> Tensor:
    """Displacements in voxels, the inverse of :func:`to_world`.

    Args:
        vectors: mm, LPS, ``(I, J, K, 3)``.
        affine: of the grid, voxel indices to RAS+ mm, ``(4, 4)``.

    Returns:
        Voxels, ``(3, I, J, K)``.

    Raises:
        GeometryError: not a field, or the affine does not place the grid in space.
    """
    _require(vectors, -1)
    return _turn(vectors.movedim(-1, 0), torch.linalg.inv(_lps(affine)))


def resample_displacement(
    ddf: Tensor, affine: ArrayLike | Tensor, shape: Sequence[int], grid_affine: ArrayLike | Tensor
) -> Tensor:
    """A field on another grid: the same mm at the same places, linear between voxels and constant outside.

    Args:
        ddf: voxels of its own grid, ``(3, I, J, K)``.
        affine: of its grid, voxel indices to RAS+ mm, ``(4, 4)``.
        shape: of the new grid, three numbers.
        grid_affine: of the new grid, ``(4, 4)``.

    Returns:
        Voxels of the new grid, ``(3, *shape)``, in the field's dtype.

    Raises:
        GeometryError: not a field, or an affine does not place its grid in space.
    """
    _require(ddf, 0)
    # In double precision: far corners of large grids would lose the fraction of a voxel that they lie at.
    still = torch.zeros((_AXES, *shape), dtype=torch.float64, device=ddf.device)
    places = point_into(still, grid_affine, affine)
    link = np.linalg.inv(require_affine(grid_affine)) @ require_affine(affine)
    return _turn(warp(ddf[None].double(), places[None])[0], torch.from_numpy(link[:3, :3])).to(ddf.dtype)


def point_into(ddf: Tensor, affine: ArrayLike | Tensor, other_affine: ArrayLike | Tensor) -> Tensor:
    """A field that reads an image on another grid, for :func:`monai_cortex.geometry.displacement.warp`.

    Args:
        ddf: voxels of its own grid, ``(3, I, J, K)``.
        affine: of its grid, voxel indices to RAS+ mm, ``(4, 4)``.
        other_affine: of the image's grid, ``(4, 4)``.

    Returns:
        At each voxel of the field's grid what leads, from the voxel of the image with the same indices, to where the
        field points in space; voxels of the image's grid, ``(3, I, J, K)``.

    Raises:
        GeometryError: not a field, or an affine does not place its grid in space.
    """
    _require(ddf, 0)
    link = torch.from_numpy(np.linalg.inv(require_affine(other_affine)) @ require_affine(affine)).to(ddf.device)
    nodes = voxel_grid(ddf.shape[1:], link)
    return (_turn(nodes + ddf, link[:3, :3]) + link[:3, 3, None, None, None] - nodes).to(ddf.dtype)


def _lps(affine: ArrayLike | Tensor) -> Tensor:
    """Matrix from voxels to mm LPS, ``(3, 3)``."""
    return torch.from_numpy(np.diag([-1.0, -1.0, 1.0]) @ require_affine(affine)[:3, :3])


def _turn(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Product of a matrix with the vectors along the first axis."""
    turned: Tensor = torch.tensordot(matrix.to(vectors), vectors, dims=1)
    return turned


def _require(field: Tensor, axis: int) -> None:
    if field.ndim != _AXES + 1 or field.shape[axis] != _AXES:
        raise GeometryError(
            "not a displacement field",
            found=f"shape {tuple(field.shape)}",
            expected="(I, J, K, 3)" if axis else "(3, I, J, K)",
            remedy="take one field of the batch, with one displacement an axis",
        )
