"""Values of an image between its voxels, and where they cross a level on the way along a ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from monai_cortex.errors import GeometryError

__all__ = ["ray_crossings", "require_affine", "sample_volume"]

_Floats = NDArray[np.float64]
_EDGE = 1e-6  # voxels by which rounding may put a point beyond the last voxel center
_STEP = 0.1  # mm along a ray


def sample_volume(volume: Tensor, affine: ArrayLike | Tensor, points: Tensor) -> Tensor:
    """Interpolate an image linearly.

    Args:
        volume: one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        points: where, mm, ``(..., 3)``.

    Returns:
        Values in the unit of the image, float64 ``(...)``; NaN outside the box of the voxels' centers.

    Raises:
        GeometryError: the image has another shape, or the affine does not place it in space.
    """
    image, inverse = _grid(volume, affine)
    values = _sample(image, inverse, _rows(points.reshape(-1, 3)))
    return torch.from_numpy(values).reshape(points.shape[:-1])


def ray_crossings(  # noqa: PLR0913
    volume: Tensor,
    affine: ArrayLike | Tensor,
    points: Tensor,
    directions: Tensor,
    level: float,
    begin: float | Tensor,
    end: float,
) -> Tensor:
    """Find the first place on the way along each ray where the image falls below a level.

    The image is read every 0.1 mm, linearly between voxels; the crossing is linear between two readings. Where a value
    rises above the level, the negated image falls below the negated level.

    Args:
        volume: one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        points: where the rays have their zero, mm, ``(N, 3)``.
        directions: unit vectors, ``(N, 3)``.
        level: in the unit of the image.
        begin: where the way starts, mm along the ray, one number or ``(N,)``; NaN for no way.
        end: where it ends, mm; less than ``begin`` to go backwards.

    Returns:
        mm along the ray, ``(N,)`` float64; NaN where nothing is found, or the image ends before.

    Raises:
        GeometryError: the image has another shape, or the affine does not place it in space.
    """
    image, inverse = _grid(volume, affine)
    starts = torch.as_tensor(begin).detach().cpu().double().expand(len(points)).numpy()
    return torch.from_numpy(
        _crossings(image, inverse, _rows(points), _rows(directions), level, np.ascontiguousarray(starts), end)
    )


def require_affine(affine: ArrayLike | Tensor) -> _Floats:
    """An affine, voxel indices to mm, as an array ``(4, 4)``.

    Raises:
        GeometryError: it does not place an image in space.
    """
    matrix = np.asarray(torch.as_tensor(affine).detach().cpu(), np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix[:3, :3]) < 3:  # noqa: PLR2004
        raise GeometryError(
            "the affine does not place the image in space",
            found=matrix.tolist(),
            expected="an invertible (4, 4) matrix of finite numbers, voxel indices to mm",
        )
    return matrix


def _rows(points: Tensor) -> _Floats:
    return np.ascontiguousarray(points.detach().cpu().double().as_subclass(Tensor).numpy())


def _grid(volume: Tensor, affine: ArrayLike | Tensor) -> tuple[NDArray[Any], _Floats]:
    """Image as an array, and the matrix from mm to voxel indices."""
    if volume.ndim != 3 or not volume.numel():  # noqa: PLR2004
        raise GeometryError(
            "an image with one value a voxel is needed", found=f"shape {tuple(volume.shape)}", expected="(I, J, K)"
        )
    image = volume.detach().cpu().as_subclass(Tensor)
    image = image if image.dtype in (torch.float32, torch.float64) else image.double()
    return np.ascontiguousarray(image.numpy()), np.asarray(np.linalg.inv(require_affine(affine)), np.float64)


@njit(cache=True, nogil=True)
def _sample(volume: NDArray[Any], inverse: _Floats, points: _Floats) -> _Floats:
    result = np.empty(len(points))
    for n in range(len(points)):
        result[n] = _at(volume, inverse, points[n, 0], points[n, 1], points[n, 2])
    return result


@njit(cache=True, nogil=True)
def _crossings(  # noqa: PLR0913
    volume: NDArray[Any],
    inverse: _Floats,
    points: _Floats,
    directions: _Floats,
    level: float,
    begin: _Floats,
    end: float,
) -> _Floats:
    result = np.full(len(points), np.nan)
    for n in range(len(points)):
        step = _STEP if end > begin[n] else -_STEP
        before = np.nan
        # A start that is not a number makes the count useless: there is no way then.
        for number in range(int((end - begin[n]) / step + _EDGE) + 1 if begin[n] == begin[n] else 0):
            along = begin[n] + number * step
            x, y, z = (
                points[n, 0] + along * directions[n, 0],
                points[n, 1] + along * directions[n, 1],
                points[n, 2] + along * directions[n, 2],
            )
            value = _at(volume, inverse, x, y, z)
            if before >= level > value:
                result[n] = along - step * (level - value) / (before - value)
                break
            before = value
    return result


@njit(cache=True, nogil=True, inline="always")
def _at(volume: NDArray[Any], inverse: _Floats, x: float, y: float, z: float) -> float:
    i = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] * z + inverse[0, 3]
    j = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] * z + inverse[1, 3]
    k = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2] * z + inverse[2, 3]
    a, b, c = volume.shape
    inside = -_EDGE <= i <= a - 1 + _EDGE and -_EDGE <= j <= b - 1 + _EDGE and -_EDGE <= k <= c - 1 + _EDGE
    if not inside:  # a coordinate that is not a number neither
        return np.nan
    i0, j0, k0 = max(0, min(int(i), a - 2)), max(0, min(int(j), b - 2)), max(0, min(int(k), c - 2))
    i1, j1, k1 = min(i0 + 1, a - 1), min(j0 + 1, b - 1), min(k0 + 1, c - 1)
    u, v, w = i - i0, j - j0, k - k0
    near = (1 - v) * ((1 - w) * volume[i0, j0, k0] + w * volume[i0, j0, k1])
    near += v * ((1 - w) * volume[i0, j1, k0] + w * volume[i0, j1, k1])
    far = (1 - v) * ((1 - w) * volume[i1, j0, k0] + w * volume[i1, j0, k1])
    far += v * ((1 - w) * volume[i1, j1, k0] + w * volume[i1, j1, k1])
    return float((1 - u) * near + u * far)
