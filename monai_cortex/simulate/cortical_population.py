"""Synthetic people: feature maps that vary around a population's mean, on spheres with known deformations.

Always to be called synthetic: nobody has these folds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.sphere_map import SphereMap

__all__ = ["CorticalPopulation", "SyntheticCortex"]

_COARSE = 15  # degree from which the residual's power falls: folds are about 12 degrees wide
_FALL = 4.0
_DEGREE = 40


class SyntheticCortex(NamedTuple):
    """One person on an icosphere.

    Attributes:
        values: features of the V vertices, ``(C, V)``.
        places: where the vertices lie on the mean's sphere: the registration that a method should find, unit vectors
            ``(V, 3)``.
    """

    values: Tensor
    places: Tensor


class CorticalPopulation:
    r"""People as :math:`F(x) = (\mu + \sigma r)(\psi(x))`: mean, deviation times a random map, seen through a warp.

    The random map r has mean 0 and variance 1 everywhere, and is correlated over the sphere: the power of its
    harmonics is constant up to degree 15 and falls with :math:`(l / 15)^{-4}`, up to degree 40. The warp psi is the
    flow of a random rotation field. Spectrum and warps are this project's choice.

    Args:
        mean, deviation: of C features over people, on one sphere.
        level: of the icosphere on which people are made.
        warp_degree: largest degree of the warps' fields.

    Raises:
        ValueError: if a deviation is negative.
    """

    def __init__(self, mean: SphereMap, deviation: SphereMap, level: int = 5, warp_degree: int = 10) -> None:
        if (deviation.values < 0).any():
            raise ValueError("standard deviations are 0 or more.")
        self.mesh, self.warp_degree = icosphere(level), warp_degree
        self.mean, self.deviation = (m.at(self.mesh.vertices).double() for m in (mean, deviation))
        degrees = harmonic_degrees(_DEGREE).double()
        power = (1 + (degrees / _COARSE) ** _FALL).reciprocal() * (degrees > 0)
        self._amplitude = (power * 4 * math.pi / power.sum()).sqrt().float()
        self._basis = real_harmonics(self.mesh.vertices, _DEGREE).float()

    def draw(self, angle: float, generator: torch.Generator | None = None, residual: float = 1.0) -> SyntheticCortex:
        """One person.

        Args:
            angle: mean displacement of the warp in radian.
            generator: of the random numbers.
            residual: factor of the deviation; 0 gives the mean's own folds.
        """
        noise = torch.randn(len(self.mean), len(self._amplitude), generator=generator)
        anatomy = self.mean + residual * self.deviation * ((noise * self._amplitude) @ self._basis.T).double()
        places = random_warp(self.mesh, angle, generator, self.warp_degree)
        return SyntheticCortex(SphereMap(self.mesh, anatomy).at(places), places)

    def template(self) -> SphereMap:
        """The mean on the icosphere, ``(C, V)``."""
        return SphereMap(self.mesh, self.mean)
