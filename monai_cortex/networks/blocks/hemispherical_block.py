"""Convolution, normalization, activation."""

from __future__ import annotations

from torch import Tensor, nn

from monai_cortex.geometry.hemisphere import SphericalGraph
from monai_cortex.networks.layers.hemispherical_conv import HemisphericalConv
from monai_cortex.networks.layers.shared_batch_norm import SharedBatchNorm
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["HemisphericalBlock"]


class HemisphericalBlock(nn.Module):
    """Hemispherical convolution, batch normalization over vertices and voxels, rectifier.

    Args:
        in_channels: features in.
        out_channels: features out.
        graph: spherical or hemispheric graph of V vertices.
        terms: number of Chebyshev polynomials.
        kernel_size: 3 mixes neighboring voxels, 1 does not.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, graph: SphericalGraph, terms: int = 5, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.conv = HemisphericalConv(in_channels, out_channels, graph, terms, kernel_size)
        # What it adds the normalization takes away: its gradient is rounding alone, which Adam would make steps of.
        self.conv.bias.requires_grad_(False)
        self.norm = SharedBatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = to_memory(self.conv(x))
        return from_memory(self.norm(x.flatten(0, -2)).relu_().view(x.shape))
