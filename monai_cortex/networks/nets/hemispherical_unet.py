"""U-Net over the sphere in every voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.hemisphere import SphericalGraph, hemispheric_graph, spherical_graph
from monai_cortex.networks.blocks.hemispherical_block import HemisphericalBlock
from monai_cortex.networks.layers.hemispherical_conv import HemisphericalConv
from monai_cortex.networks.layers.spatial_pool import SpatialPool, SpatialUnpool
from monai_cortex.networks.layers.spherical_pool import SphericalPool, SphericalUnpool
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["HemisphericalUNet", "kernel_edges"]

_T = TypeVar("_T", int, bool)


class HemisphericalUNet(nn.Module):
    """E(3) x SO(3)-equivariant U-Net: the sphere is pooled level by level, and the voxels with it or not at all.

    Each level has two blocks on the way down and two, after the concatenated skip, on the way up. Weights do not
    depend on the graph: one state dict serves the sphere and the hemisphere, with equal results on antipodally
    symmetric signals.

    Args:
        in_channels: features in, for instance one for each shell.
        out_channels: features out, for instance one for each tissue.
        nside: HEALPix resolution of the first level, halved at each following one.
        channels: features of each level.
        kernel_sizes: 3 where a level mixes neighboring voxels, else 1; one value, or one for each level.
        hemisphere: one vertex of each antipodal pair; False is the whole sphere (RT-ESD) at twice the cost.
        spatial_pooling: pool the voxels together with the sphere; one value, or one for each level but the last.
        block: further options of ``HemisphericalBlock``, such as ``terms``, the number of Chebyshev polynomials.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``, V = 6 nside^2 on the hemisphere and
        12 nside^2 on the sphere, in the order of ``geometry.hemisphere``; any I, J, K.

    Raises:
        ConfigError: if ``nside`` cannot be halved often enough, sizes do not match the number of levels, or a kernel
            has another size than 1 or 3.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nside: int = 4,
        channels: Sequence[int] = (8, 16, 16),
        kernel_sizes: int | Sequence[int] = 3,
        hemisphere: bool = True,
        spatial_pooling: bool | Sequence[bool] = False,
        **block: Any,
    ) -> None:
        super().__init__()
        levels = len(channels)
        _check_levels(levels, nside)
        sizes = kernel_edges(kernel_sizes, levels)
        pooled = _one_each(spatial_pooling, levels - 1, "spatial_pooling")
        graph = hemispheric_graph if hemisphere else spherical_graph
        graphs = [graph(nside >> level) for level in range(levels)]
        widths = [in_channels, *channels]
        self.down = nn.ModuleList(
            _pair(widths[i], widths[i + 1], widths[i + 1], graphs[i], sizes[i], block) for i in range(levels - 1)
        )
        self.bottom = _pair(widths[-2], widths[-1], channels[max(levels - 2, 0)], graphs[-1], sizes[-1], block)
        self.up = nn.ModuleList(
            _pair(2 * channels[i], channels[i], channels[max(i - 1, 0)], graphs[i], sizes[i], block)
            for i in range(levels - 1)
        )
        self.pool = nn.ModuleList(
            nn.Sequential(SphericalPool(g), SpatialPool() if p else nn.Identity())
            for g, p in zip(graphs, pooled, strict=False)
        )
        self.unpool = nn.ModuleList(SphericalUnpool(g) for g in graphs[:-1])
        self.spatial_unpool = SpatialUnpool()
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
            x = self.unpool[level](self.spatial_unpool(x, skips[level].shape[3:]))
            x = self.up[level](_join(x, skips[level]))
        return self.head(x)


def kernel_edges(kernel_sizes: int | Sequence[int], levels: int) -> list[int]:
    """Edge of the kernel at each level in voxels, from one value or one for each level.

    Raises:
        ConfigError: for another number of values, or another value than 1 or 3.
    """
    edges = _one_each(kernel_sizes, levels, "kernel_sizes")
    if not set(edges) <= {1, 3}:
        raise ConfigError(
            "a kernel has an edge of 1 or 3 voxels",
            found=f"kernel_sizes {edges}",
            expected="1 (voxels apart) or 3 at each level",
            remedy="use patch 1, or a patch of at least 3 voxels",
        )
    return edges


def _one_each(values: _T | Sequence[_T], count: int, name: str) -> list[_T]:
    """Repeat one value, or check the number of many."""
    if isinstance(values, int):
        return [values] * count
    if len(values) != count:
        raise ConfigError(
            f"{name} does not match the network's levels",
            found=f"{len(values)} values",
            expected=f"one value, or {count} of them",
            remedy=f"change {name}, or the number of channels",
        )
    return list(values)


def _check_levels(levels: int, nside: int) -> None:
    if levels < 1 or nside < 1 or nside & (nside - 1) or nside >> (levels - 1) < 1:
        raise ConfigError(
            "the sphere cannot be halved once from each level to the next",
            found=f"nside {nside}, channels for {levels} levels",
            expected=f"nside a power of two, at least {2 ** max(levels - 1, 0)}, and one level or more",
            remedy="change nside, or the number of channels",
        )


def _pair(
    inside: int, middle: int, outside: int, graph: SphericalGraph, kernel_size: int, options: dict[str, Any]
) -> nn.Sequential:
    return nn.Sequential(
        HemisphericalBlock(inside, middle, graph, kernel_size=kernel_size, **options),
        HemisphericalBlock(middle, outside, graph, kernel_size=kernel_size, **options),
    )


def _join(a: Tensor, b: Tensor) -> Tensor:
    """Concatenate channels in memory."""
    return from_memory(torch.cat([to_memory(a), to_memory(b)], -1))
