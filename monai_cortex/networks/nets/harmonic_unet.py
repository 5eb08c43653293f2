"""Convolution over voxels alone: the published comparison "CNN"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import even_count
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit, vertex_harmonics
from monai_cortex.networks.nets.hemispherical_unet import kernel_edges

__all__ = ["HarmonicUNet"]


class HarmonicUNet(nn.Module):
    """Plain 3-D U-Net whose channels are harmonic coefficients: knows voxels, but not rotations of the sphere.

    Takes the place of ``HemisphericalUNet`` in ``SphericalDeconvolver``: maps on the vertices are turned into
    coefficients, sent through MONAI's U-Net, and turned back. No level changes the voxel grid, so any size fits.

    Args:
        in_channels: features in, each of n = (L + 1)(L + 2)/2 coefficients.
        out_channels: features out: the first of n coefficients, the others constant on the sphere.
        nside: HEALPix resolution of the vertices.
        channels: features of each level, two levels or more.
        kernel_sizes: voxels along the edge of the kernel, 1 or 3; of several the largest. 1 leaves voxels apart (MLP).
        hemisphere: whether the vertices are those of the hemisphere.
        degree: largest even degree L of the features.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``.

    Raises:
        ConfigError: for a single level, another kernel, or a degree that the vertices cannot hold.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819 (comparison "CNN").
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        nside: int = 4,
        channels: Sequence[int] = (8, 16, 16),
        kernel_sizes: int | Sequence[int] = 3,
        hemisphere: bool = True,
        degree: int = 8,
    ) -> None:
        super().__init__()
        steps = len(channels) - 1
        if steps < 1:
            raise ConfigError("a U-Net has two levels or more", found=f"channels {list(channels)}")
        edge = max(kernel_edges(kernel_sizes, len(channels)))
        self.register_buffer("analysis", vertex_fit(nside, degree, hemisphere), persistent=False)
        self.register_buffer("synthesis", vertex_harmonics(nside, degree, hemisphere), persistent=False)
        count = even_count(degree)
        self.network = UNet(
            spatial_dims=3,
            in_channels=in_channels * count,
            out_channels=count + out_channels - 1,
            channels=channels,
            strides=[1] * steps,
            kernel_size=edge,
            up_kernel_size=edge,
            act="relu",
            norm="batch",
        )

    def forward(self, x: Tensor) -> Tensor:
        count, vertices = self.analysis.shape
        features = torch.einsum("nv,bcvijk->bcnijk", self.analysis.to(x), x).flatten(1, 2)
        coefficients, constants = self.network(features).tensor_split([count], 1)
        fibers = torch.einsum("vn,bnijk->bvijk", self.synthesis.to(x), coefficients)
        return torch.cat([fibers[:, None], constants[:, :, None].expand(-1, -1, vertices, -1, -1, -1)], 1)
