r"""Displacement fields on voxel grids: what they do to images and points, and how they combine.

A field :math:`u` has shape ``(B, 3, I, J, K)``; channel c is the displacement along array axis c, in voxels, pull-back:
it takes a voxel of the fixed grid to the moving one, :math:`\phi(x) = x + u(x)`. Between voxels fields are linear,
beyond the outermost ones constant.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from monai_cortex.errors import GeometryError

__all__ = ["compose", "displaced_points", "exponential", "invert", "jacobian_determinant", "voxel_grid", "warp"]

_AXES = 3
_LEAST = 0.05  # determinants below it are taken for it where a step of the inversion divides by them


def voxel_grid(shape: tuple[int, ...] | torch.Size, like: Tensor) -> Tensor:
    """Indices of the voxels of a grid ``(I, J, K)``, ``(3, I, J, K)`` in the dtype and on the device of a tensor."""
    lines = [torch.arange(size, dtype=like.dtype, device=like.device) for size in shape]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"))


def warp(image: Tensor, ddf: Tensor, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """Read an image where a field points to.

    Args:
        image: on the moving grid, ``(B, C, I, J, K)``.
        ddf: voxels, ``(B, 3, I', J', K')``.
        mode: "bilinear" is linear along the three axes, "nearest" takes the nearest voxel.
        padding: "border" extends the image constantly, "zeros" is 0 outside.

    Returns:
        ``(B, C, I', J', K')``.

    Raises:
        GeometryError: the shapes do not fit.
    """
    _require(ddf)
    places = ddf + voxel_grid(ddf.shape[2:], ddf)
    return _sample(image, places.movedim(1, -1), mode, padding)


def displaced_points(points: Tensor, ddf: Tensor) -> Tensor:
    """Take points of the fixed grid to the moving one.

    Points of the moving image go to the fixed one by the inverse field, not by this one.

    Args:
        points: voxel coordinates, ``(N, 3)``.
        ddf: voxels, ``(3, I, J, K)``.

    Returns:
        Voxel coordinates ``(N, 3)``.
    """
    _require(ddf[None])
    moved = _sample(ddf[None], points.to(ddf)[None, :, None, None], "bilinear", "border")
    return points + moved[0, :, :, 0, 0].T.to(points)


def jacobian_determinant(ddf: Tensor) -> Tensor:
    """Local change of volume, det(I + du/dx).

    Differences are central, at the borders one-sided, so that affine fields are exact everywhere. The determinant does
    not depend on the spacing of the grid.

    Args:
        ddf: voxels, ``(B, 3, I, J, K)``.

    Returns:
        ``(B, 1, I, J, K)``; 1 keeps volume, 0 or less folds.
    """
    return _determinant(_gradient(ddf))[:, None]


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Field of one map after another: ``second(x) + first(x + second(x))``.

    Warping by the result is warping by ``first``, then the outcome by ``second``. Both are ``(B, 3, I, J, K)``, voxels.
    """
    _require(first)
    return second + warp(first, second)


def exponential(velocity: Tensor, steps: int = 7) -> Tensor:
    """Follow a stationary velocity for unit time, by scaling and squaring (Arsigny et al. 2006).

    Args:
        velocity: voxels per unit time, ``(B, 3, I, J, K)``.
        steps: number of squarings.

    Returns:
        Displacement in voxels, ``(B, 3, I, J, K)``.
    """
    ddf = velocity * 0.5**steps
    for _ in range(steps):
        ddf = compose(ddf, ddf)
    return ddf


def invert(ddf: Tensor, iterations: int = 30, tolerance: float = 1e-3) -> Tensor:
    """Field of the inverse map, by Newton's method at each voxel, with shorter steps where one leads away.

    Where the field folds there is no inverse, and the result is the nearest that the steps came: nowhere worse than
    the negative field, where they begin.

    Args:
        ddf: voxels, ``(B, 3, I, J, K)``.
        iterations: at most.
        tolerance: largest residual ``|v + u(x + v)|`` at which to stop, voxels.

    Returns:
        Voxels, ``(B, 3, I, J, K)``.
    """
    _require(ddf)
    slope = _inverse(_gradient(ddf)).flatten(1, 2)
    inverse = -ddf
    residual = compose(ddf, inverse)
    share = torch.ones_like(ddf[:, :1])
    for _ in range(iterations):
        if residual.detach().abs().max() < tolerance:
            break
        rows = warp(slope, inverse).reshape(-1, _AXES, _AXES, *inverse.shape[2:])
        trial = inverse - share * (rows * residual[:, None]).sum(2)
        left = compose(ddf, trial)
        nearer = _length(left) < _length(residual)
        inverse, residual = torch.where(nearer, trial, inverse), torch.where(nearer, left, residual)
        share = torch.where(nearer, (2 * share).clamp(max=1), share / 2)
    return inverse


def _require(ddf: Tensor) -> None:
    if ddf.ndim != _AXES + 2 or ddf.shape[1] != _AXES:
        raise GeometryError(
            "not a displacement field",
            found=f"shape {tuple(ddf.shape)}",
            expected="(B, 3, I, J, K)",
            remedy="add the batch axis, and keep one channel an axis",
        )


def _sample(image: Tensor, places: Tensor, mode: str, padding: str) -> Tensor:
    """Values at voxel coordinates ``(B, ..., 3)``."""
    sizes = torch.tensor(image.shape[2:], dtype=places.dtype, device=places.device)
    # grid_sample counts axes from the last and runs from -1 to 1 between the outermost voxels' centers.
    scaled = (places * (2 / (sizes - 1).clamp(min=1)) - 1).flip(-1)
    return grid_sample(image, scaled.to(image), mode=mode, padding_mode=padding, align_corners=True)


def _length(field: Tensor) -> Tensor:
    return field.detach().square().sum(1, keepdim=True)


def _gradient(ddf: Tensor) -> Tensor:
    """Matrix I + du/dx, rows by channel and columns by axis, ``(B, 3, 3, I, J, K)``."""
    _require(ddf)
    slopes = [torch.gradient(ddf, dim=axis)[0] if ddf.shape[axis] > 1 else torch.zeros_like(ddf) for axis in (2, 3, 4)]
    matrix = torch.stack(slopes, 2)
    identity = torch.eye(_AXES, dtype=ddf.dtype, device=ddf.device)
    return matrix + identity[..., None, None, None]


def _determinant(matrix: Tensor) -> Tensor:
    rows = matrix.unbind(1)
    volume: Tensor = (rows[0] * torch.linalg.cross(rows[1], rows[2], dim=1)).sum(1)
    return volume


def _inverse(matrix: Tensor) -> Tensor:
    """Inverse matrices, of those that fold with the least determinant allowed."""
    first, second, third = matrix.unbind(1)
    cross = torch.linalg.cross
    adjugate = torch.stack([cross(second, third, dim=1), cross(third, first, dim=1), cross(first, second, dim=1)], 2)
    return adjugate / _determinant(matrix).clamp(min=_LEAST)[:, None, None]
