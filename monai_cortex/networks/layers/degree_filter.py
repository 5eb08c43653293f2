"""Convolution on the sphere with kernels that depend on the distance alone: one number for each degree."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import harmonic_degrees

__all__ = ["DegreeFilter", "DegreeScale", "degree_anchors"]


def degree_anchors(degree: int, spacing: int = 5) -> Tensor:
    """Linear interpolation from numbers at degrees 0, s, 2 s, ... to every degree.

    Args:
        degree: largest degree L.
        spacing: s, of the degrees that have numbers of their own; the last one is at L or beyond.

    Returns:
        Weights of the K anchors, ``(L + 1, K)``; rows sum to 1.
    """
    count = math.ceil(degree / spacing) + 1
    places = torch.arange(degree + 1)[:, None] / spacing
    return (1 - (places - torch.arange(count)).abs()).clamp_min(0)


class DegreeFilter(nn.Module):
    """Mix channels by a matrix for each degree, interpolated between anchors: commutes with rotations exactly.

    Args:
        in_channels, out_channels: of the coefficients.
        degree: largest degree L.
        spacing: degrees between anchors.
        zero: start with zeros, for the last layer of a branch that shall start as nothing.

    Shape:
        ``(B, in_channels, (L + 1)^2)`` to ``(B, out_channels, (L + 1)^2)``.

    Reference:
        Ha and Lyu, IEEE Trans. Med. Imaging 41(10):2739-2751, 2022 (SPHARM-Net: interpolated zonal filters).
    """

    anchors: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, degree: int, spacing: int = 5, *, zero: bool = False
    ) -> None:
        super().__init__()
        self.register_buffer("anchors", degree_anchors(degree, spacing), persistent=False)
        bound = 0.0 if zero else math.sqrt(3 / in_channels)  # keeps the variance
        self.weight = nn.Parameter(
            torch.empty(self.anchors.shape[1], out_channels, in_channels).uniform_(-bound, bound)
        )

    def forward(self, coefficients: Tensor) -> Tensor:
        """Filtered coefficients."""
        kernels = torch.einsum("la,aoi->loi", self.anchors.to(coefficients), self.weight)
        rows = coefficients.transpose(0, 1)  # one product for each degree, over the whole batch
        parts = [torch.tensordot(k, rows[..., d * d : (d + 1) ** 2], 1) for d, k in enumerate(kernels)]
        return torch.cat(parts, -1).transpose(0, 1)


class DegreeScale(nn.Module):
    """Multiply each degree of each channel by a number, and add a constant function, both from a condition.

    Args:
        channels: of the coefficients.
        degree: largest degree L.
        condition: number D of what decides.
        spacing: degrees between anchors.

    Shape:
        coefficients ``(B, channels, (L + 1)^2)`` and condition ``(B, D)`` to the shape of the first. Starts as the
        identity.

    Reference:
        Perez et al., AAAI 2018 (feature-wise linear modulation), here one factor for each degree.
    """

    anchors: Tensor

    def __init__(self, channels: int, degree: int, condition: int, spacing: int = 5) -> None:
        super().__init__()
        anchors = degree_anchors(degree, spacing)[harmonic_degrees(degree)]
        self.register_buffer("anchors", anchors, persistent=False)
        self.channels = channels
        self.linear = nn.Linear(condition, channels * (anchors.shape[1] + 1))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, coefficients: Tensor, condition: Tensor) -> Tensor:
        """Scaled coefficients."""
        numbers = self.linear(condition).unflatten(1, (self.channels, -1))
        scaled = coefficients * (1 + numbers[..., 1:] @ self.anchors.T.to(numbers))
        return torch.cat([scaled[..., :1] + numbers[..., :1], scaled[..., 1:]], -1)
