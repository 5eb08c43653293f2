"""Stacks of short-axis slices: where their voxels lie in the heart, with a breath held anew for each slice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_cortex.geometry.point_map import invert_map
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.simulate.beating_heart import BeatingHeart, HeartShape

__all__ = ["SliceStack", "draw_stack"]

_APEX_FIRST = 0.15  # chance
_TOLERANCE = 1e-5  # mm
# Directions of columns, rows and slices (base to apex) in LPS of a typical short-axis plane; made orthogonal below.
_AXES = ((0.62, 0.78, 0.0), (-0.35, 0.28, -0.89), (0.70, -0.55, -0.45))


@dataclass(frozen=True)
class SliceStack:
    """Slices and the places they are taken at. Lengths in mm.

    Coordinates of the stack: x along columns and y along rows, 0 in the middle; z from
    the apex to the base, 0 in the middle of the slices.

    Attributes:
        shape: voxels ``(I, J, K)``.
        spacing: of the voxels; the last one is that between slices.
        thickness: of a slice.
        from_apex: whether the first slice is the apical one.
        center: of the heart's base in coordinates of the stack, ``(3,)``.
        tilt: rotation from the heart's axes to the stack's, ``(3, 3)``.
        diastole, systole: shift of each slice in the plane by the breath, ``(K, 2)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    thickness: float
    from_apex: bool
    center: Tensor
    tilt: Tensor
    diastole: Tensor
    systole: Tensor
    affine: Tensor

    def points(self) -> Tensor:
        """Middles of the voxels in coordinates of the stack, ``(I, J, K, 3)``."""
        axes = [step * self._index(axis) for axis, step in enumerate(self.spacing)]
        axes[2] = axes[2] if self.from_apex else -axes[2]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)

    def into_heart(self, points: Tensor) -> Tensor:
        """Coordinates of the heart ``(P, 3)`` of coordinates of the stack ``(P, 3)``."""
        return (points - self.center) @ self.tilt

    def from_heart(self, points: Tensor) -> Tensor:
        """Coordinates of the stack ``(P, 3)`` of coordinates of the heart ``(P, 3)``."""
        return points @ self.tilt.T + self.center

    def shifted(self, points: Tensor, shifts: Tensor) -> Tensor:
        """Points ``(P, 3)`` with the breath's shift ``(K, 2)``, linear between slices and constant beyond them."""
        height = points[:, 2] / self.spacing[2]
        place = ((height if self.from_apex else -height) + (self.shape[2] - 1) / 2).clamp(0, self.shape[2] - 1)
        low = place.floor().long().clamp(max=self.shape[2] - 2)
        share = (place - low)[:, None]
        plane = shifts[low] * (1 - share) + shifts[low + 1] * share
        return points + torch.nn.functional.pad(plane, (0, 1))

    def held(self, points: Tensor, systole: bool) -> Tensor:
        """Voxels' places without their slice's shift: coordinates of the stack, ``(I * J * K, 3)``.

        Args:
            points: the voxels' middles, in the order of the grid, ``(I * J * K, 3)``.
            systole: which phase.
        """
        shifts = torch.nn.functional.pad(self.systole if systole else self.diastole, (0, 1))
        return points - shifts.expand(*self.shape, 3).reshape(-1, 3)

    def displacement(self, heart: BeatingHeart) -> Tensor:
        """From each voxel at end systole to where the same tissue is imaged at end diastole.

        Args:
            heart: whose motion it is.

        Returns:
            ``(3, I, J, K)`` in voxels, float64.
        """
        points = self.points().reshape(-1, 3)
        tissue = heart.to_diastole(self.into_heart(self.shifted(points, -self.systole)))
        return self._in_voxels(self.shifted(self.from_heart(tissue), self.diastole) - points)

    def inverse_displacement(self, heart: BeatingHeart) -> Tensor:
        """From each voxel at end diastole to where the same tissue is imaged at end systole.

        Args:
            heart: whose motion it is.

        Returns:
            ``(3, I, J, K)`` in voxels, float64.
        """
        points = self.points().reshape(-1, 3)
        tissue = invert_map(heart.to_diastole, self.into_heart(self.shifted(points, -self.diastole)), _TOLERANCE)
        return self._in_voxels(self.shifted(self.from_heart(tissue), self.systole) - points)

    def _index(self, axis: int) -> Tensor:
        return torch.arange(self.shape[axis], dtype=torch.float64) - (self.shape[axis] - 1) / 2

    def _in_voxels(self, vectors: Tensor) -> Tensor:
        steps = torch.tensor(self.spacing, dtype=torch.float64) * torch.tensor([1, 1, 1 if self.from_apex else -1])
        return (vectors / steps).T.reshape(3, *self.shape)


def draw_stack(shape: HeartShape, generator: torch.Generator, largest_shift: float = 3.0) -> SliceStack:
    """Plan slices over a heart as for a study: base first as a rule, a little oblique, 7 to 10 thick ones.

    Args:
        shape: of the heart.
        generator: of the random numbers.
        largest_shift: of a slice by the breath, in mm.
    """

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))

    extent = -shape.apex + between(-4, 8)
    gap = min(max(extent / round(between(7.0, 10.0)), 8.0), 10.0)
    slices = int(min(max(round(extent / gap), 7), 10))
    pixel = between(1.2, 1.8)
    columns, rows = (int(2 * round(between(195, 245) / pixel / 2)) for _ in range(2))
    right = shape.rv_width / 2  # the middle of both ventricles, not of the left one, lies near the middle of the image
    place = (right + between(-14, 14), between(-14, 14), (slices - 1) * gap / 2 + between(-3, 9))
    tilt = _rotation_about_z(between(-0.3, 0.3)) @ random_rotation(generator, 0.08)
    spacing, from_apex = (pixel, pixel, gap), between(0, 1) < _APEX_FIRST
    size = (min(max(columns, 128), 180), min(max(rows, 128), 180), slices)
    return SliceStack(
        shape=size,
        spacing=spacing,
        thickness=min(gap, between(6, 10)),
        from_apex=from_apex,
        center=torch.tensor(place, dtype=torch.float64),
        tilt=tilt,
        diastole=_shifts(slices, largest_shift, generator),
        systole=_shifts(slices, largest_shift, generator),
        affine=_affine(size, spacing, from_apex, generator),
    )


def _shifts(slices: int, largest: float, generator: torch.Generator) -> Tensor:
    length = largest * torch.rand(slices, generator=generator, dtype=torch.float64)
    angle = 2 * math.pi * torch.rand(slices, generator=generator, dtype=torch.float64)
    return length[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def _rotation_about_z(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def _affine(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], from_apex: bool, generator: torch.Generator
) -> Tensor:
    u, _, v = torch.linalg.svd(torch.tensor(_AXES, dtype=torch.float64).T)
    directions = random_rotation(generator, 0.35) @ u @ v
    directions[:, 2] *= -1 if from_apex else 1
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = directions * torch.tensor([[-1.0], [-1.0], [1.0]]) * torch.tensor(spacing, dtype=torch.float64)
    middle = (torch.tensor(shape, dtype=torch.float64) - 1) / 2
    offset = 60 * torch.rand(3, generator=generator, dtype=torch.float64) - 30
    affine[:3, 3] = offset - affine[:3, :3] @ middle
    return affine
