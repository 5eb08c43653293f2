"""Looks of simulated T1-weighted images: contrast, shading and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from monai_cortex.geometry.random_waves import random_waves
from monai_cortex.simulate.diffusion import rician_noise

__all__ = ["SCANNERS", "Scanner"]

_SHADES = (1.0, 2.0)  # wavelengths of the bias field over the grid's longest edge


@dataclass(frozen=True)
class Scanner:
    """How tissue becomes gray values; the unit is the signal of white matter at gamma 1.

    Attributes:
        white, gray, fluid: mean signals.
        gamma: exponent of the signal before shading and noise.
        bias: standard deviation of the logarithm of the smooth multiplicative bias field.
        noise: standard deviation of the noise in each channel; the magnitude is Rician.
    """

    white: float = 1.0
    gray: float = 0.6
    fluid: float = 0.15
    gamma: float = 1.0
    bias: float = 0.0
    noise: float = 0.01

    def __post_init__(self) -> None:
        if min(self.white, self.gray, self.fluid, self.bias, self.noise) < 0 or self.gamma <= 0:
            raise ValueError(f"signals, bias and noise are 0 or more and gamma is above 0, got {self}.")

    def image(self, fractions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Image tissues, as after brain extraction: 0 where there is none.

        Args:
            fractions: shares of white matter, gray matter and fluid in each voxel, ``(3, I, J, K)``; where they add to
                less than 1, the rest is empty.
            generator: of the random numbers.

        Returns:
            Signal ``(I, J, K)``, float32, 0 or more.
        """
        means = torch.tensor([self.white, self.gray, self.fluid], dtype=torch.float32)
        signal = torch.einsum("c,cijk->ijk", means, fractions.float()).clamp(min=0) ** self.gamma
        if self.bias:
            signal = signal * _bias_field(signal.shape, self.bias, generator)
        if self.noise:
            signal = rician_noise(signal, self.noise, generator)
        return torch.where(fractions.sum(0) > 0, signal, 0.0)


SCANNERS: Mapping[str, Scanner] = MappingProxyType(
    {
        "A": Scanner(),
        "B": Scanner(white=0.9, gray=0.65, fluid=0.3, gamma=1.3, bias=0.12, noise=0.03),
    }
)
"""Named scanners: "A" is what networks are trained on, bias-corrected; "B" has another contrast, shading and noise."""


def _bias_field(shape: torch.Size, deviation: float, generator: torch.Generator | None) -> Tensor:
    axes = [torch.arange(size, dtype=torch.float32) / max(shape) for size in shape]
    waves = random_waves(deviation, _SHADES, 1, generator, waves=12)
    vectors, phases, amplitudes = (part.float() for part in waves)
    # The waves' complex values factor over the axes: three short products in the place of one long sum of cosines.
    i, j, k = (
        torch.polar(torch.ones(()), axis[:, None] * column) for axis, column in zip(axes, vectors.T, strict=True)
    )
    weight = torch.polar(amplitudes[:, 0].abs(), phases + torch.pi * (amplitudes[:, 0] < 0))
    return torch.einsum("iw,jw,kw->ijk", i * weight, j, k).real.exp()
