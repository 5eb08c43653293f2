"""Down and up one level of the voxel grid, for grids of any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["SpatialPool", "SpatialUnpool"]

_AXES = (2, 3, 4)  # of the voxels in memory


class SpatialPool(nn.Module):
    """Mean of two neighbors along each axis: every pair of an even size once, all n - 1 pairs of an odd size n.

    A patch of 3 voxels becomes 2, then 1; a single voxel stays. The layer commutes with the 48 symmetries of the grid
    whatever its size. An odd size is barely reduced, so choose windows whose sizes can be halved.

    Shape:
        ``(B, C, V, I, J, K)`` to ``(B, C, V, I', J', K')`` with I' = I/2 for even I, I - 1 for odd I > 1, 1 for I = 1.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819 (patches of 3 voxels).
    """

    def forward(self, x: Tensor) -> Tensor:
        x = to_memory(x)
        for axis in _AXES:
            size = x.shape[axis]
            if size > 1:
                x = _pair_means(x, axis) if size % 2 else x.unflatten(axis, (-1, 2)).mean(axis + 1)
        return from_memory(x)


class SpatialUnpool(nn.Module):
    """Each voxel gets the mean of the pooled values that it went into: the transpose of pooling, constants kept.

    For an even size that copies each value to its two voxels, as :class:`SphericalUnpool` copies to four vertices; for
    an odd size it interpolates linearly. Nearest neighbors alone would break mirror symmetry at odd sizes, and linear
    interpolation stretched over the whole edge would shift values by up to half a voxel.

    Shape:
        ``(B, C, V, I', J', K')`` and the size (I, J, K) before pooling to ``(B, C, V, I, J, K)``.

    Raises:
        ValueError: if pooling does not take that size to the size of the maps.
    """

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        x = to_memory(x)
        for axis, wanted in zip(_AXES, size, strict=True):
            found = x.shape[axis]
            if found == wanted:
                continue
            if 2 * found == wanted:
                x = x.repeat_interleave(2, axis)
            elif found + 1 == wanted and wanted % 2:
                first, last = x.narrow(axis, 0, 1), x.narrow(axis, found - 1, 1)
                x = _pair_means(torch.cat([first, x, last], axis), axis)
            else:
                raise ValueError(f"{found} voxels cannot come from {wanted} by pooling; give the size before it.")
        return from_memory(x)


def _pair_means(x: Tensor, axis: int) -> Tensor:
    count = x.shape[axis] - 1
    return (x.narrow(axis, 0, count) + x.narrow(axis, 1, count)) / 2
