"""Residual block between coefficients: filters in harmonic space around a nonlinearity on the sphere."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import gelu

from monai_cortex.networks.layers.degree_filter import DegreeFilter, DegreeScale
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

__all__ = ["SpectralBlock"]

_FLOOR = 1e-6  # of the mean square


class SpectralBlock(nn.Module):
    """Normalize, filter, scale by a condition, apply a GELU at the vertices, filter, add.

    The mean square over the sphere is the sum of squared coefficients over 4 pi (Parseval), so that the normalization
    needs no vertices. The nonlinearity makes degrees above L, of which the mesh mistakes some for lower ones: rotations
    commute nearly, not exactly.

    Args:
        in_channels, out_channels: of the coefficients.
        transform: between the coefficients and the vertices of a mesh; blocks may share it.
        condition: number D of what decides.

    Shape:
        coefficients ``(B, in_channels, (L + 1)^2)`` and condition ``(B, D)`` to ``(B, out_channels, (L + 1)^2)``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, transform: SphericalHarmonicTransform, condition: int
    ) -> None:
        super().__init__()
        degree = transform.degree
        self.transform = transform
        self.enter = DegreeFilter(in_channels, out_channels, degree)
        self.scale = DegreeScale(out_channels, degree, condition)
        self.leave = DegreeFilter(out_channels, out_channels, degree, zero=True)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else DegreeFilter(in_channels, out_channels, degree)

    def forward(self, coefficients: Tensor, condition: Tensor) -> Tensor:
        """Coefficients of the sum."""
        hidden = self.scale(_normalized(self.enter(coefficients)), condition)
        hidden = self.transform(gelu(self.transform.inverse(hidden)))
        result: Tensor = self.shortcut(coefficients) + self.leave(hidden)
        return result


def _normalized(coefficients: Tensor) -> Tensor:
    """Coefficients of functions whose mean square over sphere and channels is 1."""
    square = coefficients.square().sum(-1, keepdim=True).mean(1, keepdim=True) / (4 * math.pi)
    return coefficients * (square + _FLOOR).rsqrt()
