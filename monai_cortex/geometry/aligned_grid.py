"""Grids whose axes are those of another: coarser or finer, cut or padded; and images brought onto them.

Since the axes agree, resampling is one small matrix for each axis, of cubic splines: natural ones, which are exact on
linear functions up to the outermost voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import make_interp_spline
from torch import Tensor

__all__ = ["AlignedGrid", "aligned_grid", "inside_source", "resample_aligned"]

_AGREES = 1e-3  # mm, below which two voxel sizes are one
_NODE = 1e-6  # voxels
_AXES = 3
_CUBIC = 3


class AlignedGrid(NamedTuple):
    """A grid along the axes of another, its source.

    Attributes:
        affine: voxel indices to RAS+ mm, ``(4, 4)`` float64.
        places: of the nodes along each axis, in voxels of the source, float64; outside of it in the padding.
        source_shape: ``(I, J, K)`` of the source.
    """

    affine: NDArray[np.float64]
    places: tuple[NDArray[np.float64], ...]
    source_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """``(I, J, K)``."""
        return tuple(len(places) for places in self.places)


def aligned_grid(
    shape: Sequence[int],
    affine: ArrayLike,
    spacing: Sequence[float] | None = None,
    roi: Sequence[int] | None = None,
    multiple: Sequence[int] = (1, 1, 1),
) -> AlignedGrid:
    """A grid of wanted voxel and array sizes, around the middle of another.

    In the plane images are cut or padded to one size; slices are at most cut, since what is padded is only computed.

    Args:
        shape: of the source, ``(I, J, K)``.
        affine: of the source, voxel indices to RAS+ mm, ``(4, 4)``.
        spacing: voxel edges in mm, above 0; the number of voxels is rounded up. Sizes that agree within 0.001 mm stay
            what they are, and None takes all of them from the source.
        roi: voxels along i and j, to which these are cut or padded, and optionally the most along k; None keeps all.
        multiple: numbers of voxels along each axis are then padded to a multiple of these.

    Returns:
        The grid. Of an odd number of voxels, one more is cut at the end, or padded at the start.

    Raises:
        ValueError: not three axes, or a size that is not above 0.
    """
    matrix = np.asarray(affine, np.float64)
    edges = np.linalg.norm(matrix[:3, :3], axis=0)
    wanted = edges if spacing is None else np.asarray(spacing, np.float64)
    if len(shape) != _AXES or wanted.shape != (_AXES,) or len(multiple) != _AXES or not (wanted > 0).all():
        raise ValueError(f"need three axes and spacings above 0, got {shape}, {spacing} and {multiple}.")
    if min(*(roi or (1,)), *multiple, *shape) < 1 or len(roi or (1, 1)) not in (2, 3):
        raise ValueError(f"sizes are above 0, got shape {shape}, roi {roi}, multiple {multiple}.")
    steps = np.where(np.abs(wanted - edges) < _AGREES, 1.0, wanted / edges)
    # What rounding adds to a whole number must not become a voxel.
    resampled = [math.ceil(count / step - _AGREES) for count, step in zip(shape, steps, strict=True)]
    sizes = [*(roi or resampled)[:2], min(resampled[2], *(roi or ())[2:], resampled[2])]
    sizes = [math.ceil(size / factor) * factor for size, factor in zip(sizes, multiple, strict=True)]
    places = tuple(map(_places, shape, steps, resampled, sizes))
    change = np.diag([*steps, 1.0])
    change[:3, 3] = [line[0] for line in places]
    return AlignedGrid(matrix @ change, places, tuple(shape))


def resample_aligned(image: Tensor, grid: AlignedGrid, mode: str = "spline", outside: float = 0.0) -> Tensor:
    """Bring an image onto a grid.

    Args:
        image: on the source, ``(C, I, J, K)``.
        grid: of :func:`aligned_grid`.
        mode: "spline" for intensities, which stay within the image's range, or "nearest" for labels.
        outside: value of the padding.

    Returns:
        ``(C, I', J', K')`` in the image's dtype. Within half a voxel beyond the outermost ones, which is still within
        their edges, the image continues as it ends.

    Raises:
        ValueError: an unknown mode, or an image of another shape than the source.
    """
    if mode not in ("spline", "nearest") or tuple(image.shape[1:]) != grid.source_shape:
        raise ValueError(f"need {grid.source_shape} and spline or nearest, got {tuple(image.shape)} and {mode!r}.")
    result = image
    for axis, places in enumerate(grid.places, 1):
        count = image.shape[axis]
        held = np.clip(places, 0, count - 1)
        index = np.clip(np.floor(held + 0.5).astype(np.int64), 0, count - 1)
        if mode == "nearest" or np.abs(held - index).max() < _NODE:
            result = result.index_select(axis, torch.from_numpy(index).to(image.device))
        else:
            weights = torch.from_numpy(_spline(held, count)).to(result)
            result = torch.tensordot(result, weights, dims=([axis], [1])).movedim(-1, axis)
    if mode == "spline":
        result = result.clamp(image.min(), image.max())
    return torch.where(inside_source(grid).to(image.device), result, torch.as_tensor(outside).to(result))


def inside_source(grid: AlignedGrid) -> Tensor:
    """Voxels whose middle lies within a voxel of the source ``(1, I, J, K)``, bool; the others are padding."""
    lines = [
        torch.from_numpy((places > -0.5 - _NODE) & (places < count - 0.5 + _NODE))
        for places, count in zip(grid.places, grid.source_shape, strict=True)
    ]
    return (lines[0][:, None, None] & lines[1][:, None] & lines[2])[None]


def _places(count: int, step: float, resampled: int, size: int) -> NDArray[np.float64]:
    first = (count - 1) / 2 - (resampled - 1) / 2 * step
    return np.asarray(first + ((resampled - size) // 2 + np.arange(size)) * step, np.float64)


def _spline(places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    if count == 1:
        return np.ones((len(places), 1))
    spline = make_interp_spline(np.arange(count), np.eye(count), k=_CUBIC, bc_type="natural")
    return np.asarray(spline(places), np.float64)
