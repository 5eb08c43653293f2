"""Networks that name the digit on the sphere of each voxel, more and less equivariant."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.healpix import healpix_directions
from monai_cortex.networks.nets import ConcatenatedUNet, HemisphericalUNet

__all__ = ["CLASSES", "DEGREE", "DIRECTIONS", "build"]

CLASSES, NSIDE, DEGREE, CHANNELS = 10, 4, 8, (8, 16, 32)
DIRECTIONS = healpix_directions(NSIDE)


class MeanOverVertices(nn.Module):
    """Logits of a voxel: the mean over its sphere, which rotations of the sphere leave as it is."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).mean(2)


class Coefficients(nn.Module):
    """A U-Net of plain convolutions over the voxels, with spherical harmonics as channels: not equivariant."""

    fit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fit", torch.linalg.pinv(real_harmonics(DIRECTIONS, DEGREE)).float(), persistent=False)
        self.net = UNet(3, len(self.fit), CLASSES, (16, 32, 64), (1, 1), num_res_units=1, norm="batch")

    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.einsum("nv,bvijk->bnijk", self.fit, x[:, 0]))


def build(network: str) -> nn.Module:
    """One of the networks: signal ``(B, 1, V, I, J, K)`` to logits ``(B, 10, I, J, K)``."""
    if network == "coefficients":
        return Coefficients()
    options: dict[str, Any] = {"channels": CHANNELS, "hemisphere": False, "terms": 3}
    if network == "concatenated":
        return MeanOverVertices(ConcatenatedUNet(1, CLASSES, NSIDE, **options))
    return MeanOverVertices(
        HemisphericalUNet(1, CLASSES, NSIDE, kernel_sizes=(1, 3, 3), spatial_pooling=True, **options)
    )
