r"""A beating heart: the shape of its ventricles at end diastole, and its motion as a function of place.

Coordinates are those of the heart, in mm: the axis of the left ventricle is z, with the base at z = 0 and the apex
below; x and y run as the columns and the rows of a short-axis image, the right ventricle at angle ``rv_angle``. The
motion takes each place at end systole to the place of the same tissue at end diastole. It is a chain of maps, each with
a known change of volume: stretch along the axis, torsion, a radial map that keeps the wall's volume, the right
ventricle's own filling, and a little drift of everything. Notation below: a, A (w, W) are endocardial (epicardial)
radii at end systole and at end diastole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.random_waves import RandomWaves

__all__ = ["BeatingHeart", "HeartShape", "LeftRadii"]

_NECK, _NECK_SHARE = 0.25, 0.08  # the cavity narrows towards the valve
_ATRIAL_WALL = 2.5  # mm
_FADE = 20.0  # mm above the base over which the motion fades
_REACH = 18.0  # mm over which the radial motion fades outside
_TWIST_REACH = 15.0  # mm
_SWAY_REACH = 50.0  # mm
_PLATEAU = 70.0  # mm from the axis over which the stretch fades
_HINGE = 4.0  # mm beside the septum that do not follow the right ventricle
_QUIET = 0.4  # share of the axis, from the base, where nothing twists
_TINY = 1e-9


@dataclass(frozen=True)
class HeartShape:
    """Size, shape and motion of a heart. Lengths in mm, angles in radian; shares of the axis run from base to apex.

    Attributes:
        length: of the left cavity at end diastole.
        radius: of the left cavity near the base.
        wall: mean thickness at end diastole.
        apex_wall: thickness at the apex.
        oval, oval_angle: relative amplitude and direction of the cavity's elongation.
        corner, corner_angle: likewise, of three rounded corners.
        bulge, bulge_angle: relative amplitude and direction of the wall's asymmetry.
        axis_ratio: length at end systole over that at end diastole.
        squeeze: endocardial radius at end systole over that at end diastole, where it moves fully.
        idle, idle_angle, idle_width, idle_level: share of the motion that is missing in a sector; its direction, its
            standard deviation in radian, and its level as a share of the axis.
        torsion: turn of the apex against the base.
        rv_angle: direction from the left to the right ventricle.
        rv_width, rv_height: largest depth and half height of the right ventricle.
        rv_lean: of its center along the height.
        rv_tip: level of its apex, as a share of the axis.
        rv_wall: thickness.
        rv_squeeze, rv_shrink: relative filling of the right ventricle across and along its height.
        sway: of the whole heart in the plane, from end systole to end diastole.
    """

    length: float = 85.0
    radius: float = 25.0
    wall: float = 9.0
    apex_wall: float = 8.0
    oval: float = 0.03
    oval_angle: float = 0.0
    corner: float = 0.0
    corner_angle: float = 0.0
    bulge: float = 0.0
    bulge_angle: float = math.pi
    axis_ratio: float = 0.85
    squeeze: float = 0.7
    idle: float = 0.0
    idle_angle: float = 0.0
    idle_width: float = 0.7
    idle_level: float = 0.5
    torsion: float = 0.2
    rv_angle: float = math.pi
    rv_width: float = 32.0
    rv_height: float = 42.0
    rv_lean: float = 0.0
    rv_tip: float = 0.9
    rv_wall: float = 3.5
    rv_squeeze: float = 0.3
    rv_shrink: float = 0.12
    sway: tuple[float, float] = (0.0, 0.0)

    @property
    def apex(self) -> float:
        """Height of the outer apex, which does not move."""
        return -(self.length + self.apex_wall)


class LeftRadii(NamedTuple):
    """Radii of the left ventricle at some points, mm: inner and outer, at end systole and at end diastole."""

    inner_es: Tensor
    inner_ed: Tensor
    outer_es: Tensor
    outer_ed: Tensor
    axis_ratio: Tensor


@dataclass(frozen=True)
class BeatingHeart:
    """A heart and the way its tissue goes.

    Attributes:
        shape: see :class:`HeartShape`.
        drift: small displacement of everything in mm, of points in mm.
    """

    shape: HeartShape
    drift: RandomWaves

    def to_diastole(self, points: Tensor) -> Tensor:
        """Where the tissue that is at some points at end systole is at end diastole.

        Args:
            points: ``(P, 3)`` in mm, coordinates of the heart.

        Returns:
            ``(P, 3)`` in mm, in the dtype of the points.
        """
        x, y, z = points.unbind(1)
        z = self._stretched(x, y, z)
        x, y = self._twisted(x, y, z)
        x, y = self._widened(x, y, z)
        x, y = self._filled(x, y, z)
        x, y = self._swayed(x, y)
        moved = torch.stack([x, y, z], dim=1)
        drift = RandomWaves(*(part.to(moved) for part in self.drift))
        return moved + drift.at(moved)

    def radii(self, angle: Tensor, height: Tensor) -> LeftRadii:
        """Radii of the left ventricle.

        Args:
            angle: around the axis in radian.
            height: along the axis at end diastole in mm.
        """
        s = self.shape
        inner, outer = self.diastolic_radii(angle, height)
        active = torch.exp(-((height.clamp(min=0) / _FADE) ** 2))
        ratio = 1 - (1 - s.axis_ratio) * active
        inner_es = inner * (1 - (1 - s.squeeze) * active * (1 - self._idle(angle, height)))
        outer_es = (inner_es**2 + (outer**2 - inner**2) / ratio).sqrt()
        return LeftRadii(inner_es, inner, outer_es, outer, ratio)

    def diastolic_radii(self, angle: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
        """Inner and outer radius of the left ventricle at end diastole in mm.

        Args:
            angle: around the axis in radian.
            height: along the axis in mm.
        """
        s = self.shape
        form = 1 + s.oval * torch.cos(2 * (angle - s.oval_angle)) + s.corner * torch.cos(3 * (angle - s.corner_angle))
        thick = s.wall * (1 + s.bulge * torch.cos(angle - s.bulge_angle))
        inner = s.radius * form * _taper(-height / s.length)
        outer = (s.radius * form + thick) * _taper(-height / -s.apex)
        ring = torch.exp(-((height.clamp(min=0) / (_FADE / 2)) ** 2))
        above = inner + _ATRIAL_WALL + (outer - inner - _ATRIAL_WALL) * ring
        return inner, torch.where(height > 0, above, outer)

    def septum(self, height: Tensor) -> Tensor:
        """Distance in mm from the axis to where the septum meets the right ventricle, at heights ``(P,)``."""
        return self.diastolic_radii(torch.tensor(self.shape.rv_angle, dtype=height.dtype), height)[1]

    def across(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates towards the right ventricle and along its height, mm."""
        normal = math.cos(self.shape.rv_angle), math.sin(self.shape.rv_angle)
        return normal[0] * x + normal[1] * y, -normal[1] * x + normal[0] * y

    def _idle(self, angle: Tensor, height: Tensor) -> Tensor:
        s = self.shape
        away = torch.remainder(angle - s.idle_angle + math.pi, 2 * math.pi) - math.pi
        level = (-height / s.length - s.idle_level) / 0.35
        # Smooth where the angle jumps from pi to -pi.
        return s.idle * torch.exp((torch.cos(away) - 1) / s.idle_width**2 - level**2 / 2)

    def _stretched(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        s = self.shape
        toward, along = self.across(x, y)
        near = torch.exp(-((((toward - 10) ** 2 + along**2) / _PLATEAU**2) ** 3))
        base = s.apex * (1 - s.axis_ratio)
        fade = torch.exp(-((z - base).clamp(min=0) ** 2) / (2 * _FADE**2))
        return z + (1 / s.axis_ratio - 1) * (z - s.apex).clamp(min=0) * near * fade

    def _twisted(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        s = self.shape
        level = (-z / s.length).clamp(0, 1.2)
        outer = (s.radius + s.wall) * _taper(-z / -s.apex)
        beyond = (torch.hypot(x, y) - outer).clamp(min=0)
        active = torch.exp(-((z.clamp(min=0) / _FADE) ** 2) - beyond**2 / (2 * _TWIST_REACH**2))
        turn = -s.torsion * (level - _QUIET) * active
        return x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()

    def _widened(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        r = torch.hypot(x, y)
        a, inner, w, outer, ratio = self.radii(torch.atan2(y, x), z)
        pool = r * inner / a.clamp(min=_TINY)
        wall = (inner**2 + ratio * (r**2 - a**2)).clamp(min=0).sqrt()
        beyond = r + (outer - w) * torch.exp(-(r - w).clamp(min=0) / _REACH)
        wide = torch.where(r < a, pool, torch.where(r < w, wall, beyond))
        scale = torch.where(r > _TINY, wide / r.clamp(min=_TINY), 1.0)
        return x * scale, y * scale

    def _filled(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        s = self.shape
        toward, along = self.across(x, y)
        depth = (toward - self.septum(z)).clamp(min=0)
        height = along - s.rv_lean
        free = depth**2 / (depth + _HINGE)
        level = ((-z / s.length - 0.3) / (s.rv_tip + 0.1)).abs()
        near = torch.exp(-((depth / (1.35 * s.rv_width)) ** 4) - (height / (1.5 * s.rv_height)) ** 4 - level**4)
        push = s.rv_squeeze * free * near
        draw = s.rv_shrink * height * free / (free + 2 * _HINGE) * near
        normal = math.cos(s.rv_angle), math.sin(s.rv_angle)
        return x + push * normal[0] - draw * normal[1], y + push * normal[1] + draw * normal[0]

    def _swayed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        near = torch.exp(-(x**2 + y**2) / (2 * _SWAY_REACH**2))
        return x + self.shape.sway[0] * near, y + self.shape.sway[1] * near


def _taper(level: Tensor) -> Tensor:
    """Radius along the axis relative to the largest; level 0 is the base and 1 the apex."""
    down = level.clamp(0, 1)
    return (1 - down**2).sqrt() * (1 - _NECK_SHARE * torch.exp(-((down / _NECK) ** 2)))
