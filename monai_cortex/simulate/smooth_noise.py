"""Smooth random fields on a lattice that repeats, read between its nodes: cheap at millions of points."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

__all__ = ["SmoothNoise"]


class SmoothNoise:
    """Fields with mean 0 and deviation 1, periodic over the lattice.

    Args:
        channels: how many fields.
        scale: standard deviation in mm of the Gaussian that white noise is smoothed with.
        generator: of the random numbers.
        nodes: of the lattice along each axis; they lie a scale apart.
    """

    def __init__(self, channels: int, scale: float, generator: torch.Generator, nodes: int = 48) -> None:
        if not scale > 0 or nodes < 1:
            raise ValueError(f"need a positive scale in mm and at least one node, got {scale} and {nodes}.")
        white = torch.randn(channels, nodes, nodes, nodes, generator=generator)
        frequency = 2 * torch.pi * torch.fft.fftfreq(nodes)
        damping = torch.exp(-(frequency**2) / 2)
        product = damping[:, None, None] * damping[:, None] * damping[: nodes // 2 + 1]
        smooth = torch.fft.irfftn(torch.fft.rfftn(white, dim=(1, 2, 3)) * product, s=(nodes,) * 3, dim=(1, 2, 3))
        smooth = (smooth - smooth.mean((1, 2, 3), keepdim=True)) / smooth.std((1, 2, 3), keepdim=True)
        # One more node on each side of each axis, so that reading never leaves the lattice.
        self._fields = pad(smooth[None], (0, 1) * 3, mode="circular")
        self._period = nodes * scale

    def at(self, points: Tensor) -> Tensor:
        """Values ``(C, P)``, float32, at points ``(P, 3)`` in mm."""
        place = torch.remainder(points.float() / self._period, 1.0) * 2 - 1
        return grid_sample(self._fields, place[None, :, None, None], align_corners=True)[0, :, :, 0, 0]
