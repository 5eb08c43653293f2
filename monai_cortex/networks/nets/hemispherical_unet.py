"""U-Net over the sphere in every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_cortex.geometry.hemisphere import SphericalGraph, hemispheric_graph, spherical_graph
from monai_cortex.networks.blocks.hemispherical_block import HemisphericalBlock
from monai_cortex.networks.layers.hemispherical_conv import HemisphericalConv
from monai_cortex.networks.layers.spherical_pool import SphericalPool, SphericalUnpool
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["HemisphericalUNet"]


class HemisphericalUNet(nn.Module):
    """E(3) x SO(3)-equivariant U-Net: the sphere is pooled level by level, the voxels keep their grid.

    Each level has two blocks on the way down and two, after the concatenated skip, on the way up. Weights do not
    depend on the graph: one state dict serves the sphere and the hemisphere, with equal results on antipodally
    symmetric signals.

    Args:
        in_channels: features in, for instance one for each shell.
        out_channels: features out, for instance one for each tissue.
        nside: HEALPix resolution of the first level, halved at each following one.
        channels: features of each level.
        terms: number of Chebyshev polynomials.
        kernel_sizes: 3 where a level mixes neighboring voxels, else 1; one value, or one for each level.
        hemisphere: one vertex of each antipodal pair; False is the whole sphere (RT-ESD) at twice the cost.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``, V = 6 nside^2 on the hemisphere and
        12 nside^2 on the sphere, in the order of ``geometry.hemisphere``.

    Raises:
        ValueError: if ``nside`` cannot be halved often enough, or sizes do not match the number of levels.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nside: int = 4,
        channels: Sequence[int] = (8, 16, 16),
        terms: int = 5,
        kernel_sizes: int | Sequence[int] = 3,
        hemisphere: bool = True,
    ) -> None:
        super().__init__()
        levels = len(channels)
        sizes = [kernel_sizes] * levels if isinstance(kernel_sizes, int) else list(kernel_sizes)
        if len(sizes) != levels:
            raise ValueError(f"kernel_sizes needs one size for each of {levels} levels, got {len(sizes)}.")
        if nside % 2 ** (levels - 1):
            raise ValueError(f"{levels} levels need nside to be a multiple of {2 ** (levels - 1)}, got {nside}.")
        graph = hemispheric_graph if hemisphere else spherical_graph
        graphs = [graph(nside >> level) for level in range(levels)]
        widths = [in_channels, *channels]
        self.down = nn.ModuleList(
            _pair(widths[i], widths[i + 1], widths[i + 1], graphs[i], terms, sizes[i]) for i in range(levels - 1)
        )
        self.bottom = _pair(widths[-2], widths[-1], channels[max(levels - 2, 0)], graphs[-1], terms, sizes[-1])
        self.up = nn.ModuleList(
            _pair(2 * channels[i], channels[i], channels[max(i - 1, 0)], graphs[i], terms, sizes[i])
            for i in range(levels - 1)
        )
        self.pool = nn.ModuleList(SphericalPool(g) for g in graphs[:-1])
        self.unpool = nn.ModuleList(SphericalUnpool(g) for g in graphs[:-1])
        self.head = HemisphericalConv(channels[0], out_channels, graphs[0], terms=1, kernel_size=1)
        # Start near a constant map: a softplus behind the head would turn large random values into false fibers.
        nn.init.normal_(self.head.spherical_weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block, pool in zip(self.down, self.pool, strict=True):
            skips.append(block(x))
            x = pool(skips[-1])
        x = self.bottom(x)
        for level in reversed(range(len(skips))):
            x = self.up[level](_join(self.unpool[level](x), skips[level]))
        return self.head(x)


def _pair(inside: int, middle: int, outside: int, graph: SphericalGraph, terms: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        HemisphericalBlock(inside, middle, graph, terms, kernel_size),
        HemisphericalBlock(middle, outside, graph, terms, kernel_size),
    )


def _join(a: Tensor, b: Tensor) -> Tensor:
    """Concatenate channels in memory."""
    return from_memory(torch.cat([to_memory(a), to_memory(b)], -1))
