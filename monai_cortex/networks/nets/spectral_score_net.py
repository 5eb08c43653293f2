"""Score of the diffusion of a map on the sphere, given another map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_cortex.networks.layers.degree_filter import DegreeFilter
from monai_cortex.networks.nets.spectral_unet import SpectralUNet

__all__ = ["Score", "SpectralScoreNet"]


class Score(NamedTuple):
    """What the network says at one time.

    Attributes:
        prediction: as the scheduler's ``prediction_type`` says, dimensionless coefficients ``(B, C, (L + 1)^2)``.
        embedding: hidden coefficients ``(B, width, (L + 1)^2)``.
    """

    prediction: Tensor
    embedding: Tensor


class SpectralScoreNet(nn.Module):
    """U-shaped network on harmonic coefficients that denoises one map at every diffusion time, seeing another.

    Widths and depth are this project's: the paper does not print them.

    Args:
        in_channels: features C of the map that diffuses.
        condition_channels: features of the other one.
        degree: largest degree L of both.
        level: of the icosphere on which nonlinearities act.
        channels: of each level of the U.

    Shape:
        sample ``(B, C, (L + 1)^2)``, time ``(B,)``, condition ``(B, condition_channels, (L + 1)^2)``, coefficients of
        unit variance in the population; result: :class:`Score`.

    Reference:
        Lee, Pyatkovskiy, Yoo, Lyu, MICCAI 2025 (conditional denoising of harmonic coefficients).
    """

    def __init__(
        self,
        in_channels: int = 1,
        condition_channels: int = 1,
        degree: int = 20,
        level: int = 4,
        channels: Sequence[int] = (24, 32, 48),
    ) -> None:
        super().__init__()
        self.in_channels, self.width = in_channels, channels[0]
        self.body = SpectralUNet(in_channels + condition_channels, degree, level, channels)
        self.head = DegreeFilter(channels[0], in_channels, degree, zero=True)

    def forward(self, sample: Tensor, t: Tensor, condition: Tensor) -> Score:
        """Prediction and embedding; times enter by their logarithms."""
        embedding = self.body(torch.cat([sample, condition], 1), t.log())
        return Score(self.head(embedding), embedding)
