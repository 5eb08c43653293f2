r"""Smooth random fields as sums of plane waves, which can be evaluated anywhere, and flows along them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["RandomWaves", "flow", "random_waves"]


class RandomWaves(NamedTuple):
    r"""The field :math:`u(x) = \sum_w a_w \cos(k_w \cdot x + \varphi_w)`.

    Attributes:
        vectors: k in radian over the unit of the points, ``(W, D)``.
        phases: in radian, ``(W,)``.
        amplitudes: of C components, ``(W, C)``.
    """

    vectors: Tensor
    phases: Tensor
    amplitudes: Tensor

    def at(self, points: Tensor) -> Tensor:
        """Values ``(P, C)`` at points ``(P, D)``."""
        return torch.cos(torch.addmm(self.phases, points, self.vectors.T)) @ self.amplitudes

    def joined(self, other: RandomWaves) -> RandomWaves:
        """The sum of two fields with equally many components."""
        return RandomWaves(*(torch.cat(parts) for parts in zip(self, other, strict=True)))


def random_waves(
    deviation: float,
    wavelengths: tuple[float, float],
    components: int = 1,
    generator: torch.Generator | None = None,
    waves: int = 48,
    dimensions: int = 3,
) -> RandomWaves:
    """Draw a field that is nearly Gaussian, with the same statistics everywhere and in all directions.

    Args:
        deviation: standard deviation of each component.
        wavelengths: shortest and longest one, in the unit of the points; drawn uniformly between them.
        components: C of the field.
        generator: of the random numbers.
        waves: how many, 1 or more.
        dimensions: D of the points.

    Returns:
        The field, float64, of points ``(P, D)``.

    Raises:
        ValueError: if the wavelengths are not positive and in order, or the deviation is negative.
    """
    low, high = wavelengths
    if not 0 < low <= high < math.inf or deviation < 0:
        raise ValueError(
            f"need 0 < shortest <= longest wavelength and a deviation >= 0, got {wavelengths}, {deviation}."
        )
    directions = normalize(torch.randn(waves, dimensions, generator=generator, dtype=torch.float64), dim=1)
    chance = torch.rand(2, waves, generator=generator, dtype=torch.float64)
    vectors = directions * (2 * math.pi / (low + (high - low) * chance[0]))[:, None]
    amplitudes = torch.randn(waves, components, generator=generator, dtype=torch.float64)
    return RandomWaves(vectors, 2 * math.pi * chance[1], amplitudes * deviation * math.sqrt(2 / waves))


def flow(points: Tensor, field: RandomWaves, steps: int = 4) -> Tensor:
    """Carry points along a field for one unit of time by the midpoint rule; a flow never folds space.

    Args:
        points: ``(P, D)``.
        field: velocities, with as many components as dimensions.
        steps: of equal length; the field should change by less than itself over the way of one.

    Returns:
        Where they arrive, ``(P, D)``.
    """
    for _ in range(steps):
        middle = points + field.at(points) / (2 * steps)
        points = points + field.at(middle) / steps
    return points
