"""U-shaped network on harmonic coefficients: halving the largest degree takes the place of pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.networks.blocks.spectral_block import SpectralBlock
from monai_cortex.networks.layers.degree_filter import DegreeFilter
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

__all__ = ["SpectralUNet"]

_FREQUENCIES = 8


class SpectralUNet(nn.Module):
    """Hidden coefficients from coefficients and one number, such as a time.

    Each level has half the largest degree of the one above and an icosphere one level coarser for its nonlinearity;
    going up, missing degrees are zero and the level's own coefficients are added.

    Args:
        in_channels: of the coefficients.
        degree: largest degree L.
        level: of the icosphere; 4 for degrees up to 20.
        channels: of each level, the first for degree L.

    Shape:
        coefficients ``(B, in_channels, (L + 1)^2)``, number ``(B,)``, of order 1, to ``(B, channels[0], (L + 1)^2)``.

    Raises:
        ValueError: if there are no channels, or the icosphere is too coarse for the degree.
    """

    frequencies: Tensor

    def __init__(
        self, in_channels: int, degree: int = 20, level: int = 4, channels: Sequence[int] = (24, 32, 48)
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("a U-shape needs the channels of at least one level.")
        self.counts = [(degree // 2**i + 1) ** 2 for i in range(len(channels))]
        condition = channels[0]
        self.transforms = transforms = [
            SphericalHarmonicTransform(icosphere(max(0, level - i)), degree // 2**i) for i in range(len(channels))
        ]
        self.register_buffer("frequencies", 2.0 ** torch.arange(_FREQUENCIES) * math.pi / 16, persistent=False)
        self.embed = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU()
        )
        self.enter = DegreeFilter(in_channels, channels[0], degree)
        down, up, before = [], [], channels[0]
        for width, transform in zip(channels, transforms, strict=True):
            down.append(SpectralBlock(before, width, transform, condition))
            before = width
        for width, deeper, transform in zip(channels[-2::-1], channels[:0:-1], transforms[-2::-1], strict=True):
            up.append(SpectralBlock(width + deeper, width, transform, condition))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)

    def condition(self, number: Tensor) -> Tensor:
        """What blocks are told of the number, ``(B, channels[0])``."""
        phase = number.to(self.frequencies)[:, None] * self.frequencies
        condition: Tensor = self.embed(torch.cat([phase.sin(), phase.cos()], -1))
        return condition

    def forward(self, coefficients: Tensor, number: Tensor) -> Tensor:
        """Hidden coefficients."""
        condition = self.condition(number)
        hidden, kept = self.enter(coefficients), []
        for block, count in zip(self.down, self.counts, strict=True):
            hidden = block(hidden[..., :count], condition)
            kept.append(hidden)
        kept.pop()
        for block in self.up:
            beside = kept.pop()
            raised = pad(hidden, (0, beside.shape[-1] - hidden.shape[-1]))
            hidden = block(torch.cat([beside, raised], 1), condition)
        return hidden
