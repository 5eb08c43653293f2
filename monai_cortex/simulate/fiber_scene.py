"""Scenes of fiber bundles: what a phantom is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.simulate.fiber_bundle import FiberBundle, arc, fanning, kissing, straight

__all__ = ["FiberScene", "crossing_scene", "random_scene", "reference_scene"]

_REACH = 60.0  # mm: longer than the diagonal of the usual grids


@dataclass(frozen=True)
class FiberScene:
    """Bundles in a background of fluid, with gray matter on one side of a plane.

    Attributes:
        bundles: in mm about the center of the grid.
        gray_normal: unit vector into the gray matter, ``(3,)``; None leaves all the background to fluid.
        gray_distance: of the plane from the center in mm, along the normal.
    """

    bundles: tuple[FiberBundle, ...]
    gray_normal: Tensor | None = None
    gray_distance: float = 0.0

    def is_gray(self, points: Tensor) -> Tensor:
        """Whether the background at points in mm ``(Q, 3)`` is gray matter, ``(Q,)`` bool."""
        if self.gray_normal is None:
            return torch.zeros(len(points), dtype=torch.bool)
        return points @ self.gray_normal > self.gray_distance


def reference_scene() -> FiberScene:
    """Two straight bundles that cross at 60 degrees, and an arc through both: radii 9, 9 and 7 mm."""
    arch = arc(_vector(0, -10, 0), _vector(1, 0, 0), _vector(0, 1, 0), bend=14.0, length=40.0, radius=7.0)
    return FiberScene((_through(15.0, 9.0), _through(75.0, 9.0), arch))


def crossing_scene(*angles: float, radius: float = 6.0) -> FiberScene:
    """Straight bundles through the center, in one plane, at the given angles in degree."""
    return FiberScene(tuple(_through(angle, radius) for angle in angles))


def random_scene(generator: torch.Generator, size: float = 40.0, gray: bool = False) -> FiberScene:
    """Two to five bundles of all kinds, anywhere, in any direction.

    Args:
        generator: source of chance.
        size: edge in mm of the region through which the bundles pass.
        gray: put gray matter on one side of a random plane.
    """
    bundles: list[FiberBundle] = []
    for _ in range(int(torch.randint(2, 5, (), generator=generator))):
        bundles += _random_bundles(generator, size)
    distance = (float(torch.rand((), generator=generator)) - 0.5) * size / 2
    normal = _random_axes(generator)[0]
    return FiberScene(tuple(bundles[:5]), normal if gray else None, distance)


def _random_bundles(generator: torch.Generator, size: float) -> tuple[FiberBundle, ...]:
    # Closer to the middle plane of a flat grid, or a bundle would often miss it.
    middle = (torch.rand(3, generator=generator, dtype=torch.float64) - 0.5) * torch.tensor([0.6, 0.6, 0.2]) * size
    tangent, normal = _random_axes(generator)
    kind, chance, wide = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    radius, bend = 3 + 5 * wide, size * (0.3 + 0.5 * chance)
    if kind < 0.35:  # noqa: PLR2004
        return (straight(middle - _REACH * tangent, middle + _REACH * tangent, radius),)
    if kind < 0.65:  # noqa: PLR2004
        return (arc(middle, tangent, normal, bend, min(2 * _REACH, 1.5 * math.pi * bend), min(radius, bend / 2)),)
    if kind < 0.85:  # noqa: PLR2004
        narrow = 1 + 2 * chance
        return (fanning(middle - size / 2 * tangent, middle + size / 2 * tangent, narrow, narrow + 2 * radius),)
    return kissing(middle, tangent, normal, bend, math.pi * bend, 0.7 * min(radius, bend / 2))


def _random_axes(generator: torch.Generator) -> Tensor:
    """Two orthonormal vectors, uniformly distributed, ``(2, 3)``."""
    return random_rotation(generator)[:2]


def _through(angle: float, radius: float) -> FiberBundle:
    along = _REACH * _vector(math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0)
    return straight(-along, along, radius)


def _vector(x: float, y: float, z: float) -> Tensor:
    return torch.tensor([x, y, z], dtype=torch.float64)
