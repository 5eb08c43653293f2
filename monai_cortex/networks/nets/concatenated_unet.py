"""Neighboring voxels as channels: the published comparison "C-ESD"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from monai_cortex.networks.nets.hemispherical_unet import HemisphericalUNet, kernel_edges

__all__ = ["ConcatenatedUNet"]


class ConcatenatedUNet(HemisphericalUNet):
    """U-Net over the sphere alone that sees the neighbors of a voxel as further features.

    Equivariant to rotations of the sphere, but not of the voxel grid: each of the 27 neighbors has its own weights.

    Args:
        in_channels, out_channels, nside, channels, hemisphere: see :class:`HemisphericalUNet`.
        kernel_sizes: voxels along the edge of the neighborhood, 1 or 3; of several the largest. Borders are
            replicated.
        options: further options of :class:`HemisphericalUNet`.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819 (comparison "Concat").
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nside: int = 4,
        channels: Sequence[int] = (8, 16, 16),
        kernel_sizes: int | Sequence[int] = 3,
        hemisphere: bool = True,
        **options: Any,
    ) -> None:
        edge = max(kernel_edges(kernel_sizes, len(channels)), default=1)
        super().__init__(edge**3 * in_channels, out_channels, nside, channels, 1, hemisphere, **options)
        self.edge = edge

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_neighborhoods(x, self.edge))


def _neighborhoods(x: Tensor, edge: int) -> Tensor:
    """Features of all voxels in a cube around each voxel, ``(B, edge^3 * C, V, I, J, K)``."""
    padded = nn.functional.pad(x.flatten(0, 1), [edge // 2] * 6, mode="replicate")
    for axis in (2, 3, 4):
        padded = padded.unfold(axis, edge, 1)
    return padded.unflatten(0, x.shape[:2]).flatten(-3).movedim(-1, 2).flatten(1, 2)
