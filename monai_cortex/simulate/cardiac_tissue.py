"""What is where in and around a heart: tissues as layers, and labels, at end diastole or at end systole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_cortex.simulate.beating_heart import BeatingHeart
from monai_cortex.simulate.chest import Chest, Layer, around_heart, chest_wall
from monai_cortex.simulate.heart_variation import HeartDraw, merging_share
from monai_cortex.simulate.smooth_noise import SmoothNoise

__all__ = ["CardiacScene", "Muscle", "TissueView", "draw_muscle"]

_RIGHT, _WALL, _LEFT = 1, 2, 3
_GROOVE = 10.0  # mm around the corners between the ventricles that fat fills
_RIGHT_TOP = 8.0  # mm above the left ventricle's base up to which readers draw the right one
_GROWTH = 1.35  # of papillary muscles relative to the cavity at end systole
_HORNS = 0.75  # of the left ventricle's radius that the right one reaches around it
_SMALLEST = 8.0  # mm, radius of the cavity below which distances to papillary muscles do not shrink
_TINY = 1e-6


@dataclass(frozen=True)
class Muscle:
    """What reaches into the cavities.

    Attributes:
        papillary: directions of the papillary muscles from the left ventricle's axis, in radian; the right ventricle's
            is pi.
        papillary_size: half width as a share of the cavity's radius.
        trabeculae: share of the left cavity's radius with trabeculae, near the apex.
        mesh: level over which noise is a trabecula; smaller is more of them.
        merged_right: what merges with the right ventricle's wall at end systole, mm.
        merges: False keeps all tissue as it is at end diastole; then the images differ by the motion alone.
    """

    papillary: tuple[float, float]
    papillary_size: float
    trabeculae: float
    mesh: float
    merged_right: float
    merges: bool = True


def draw_muscle(generator: torch.Generator) -> Muscle:
    """Draw papillary muscles and trabeculae."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))

    return Muscle(
        papillary=(between(-0.95, -0.35), between(0.6, 1.4)),
        papillary_size=between(0.10, 0.24),
        trabeculae=between(0.05, 0.3),
        mesh=between(0.2, 1.6),
        merged_right=between(0, 1.5),
    )


class CardiacScene:
    """A heart in its body.

    Args:
        draw: the heart.
        chest: the body.
        muscle: what reaches into the cavities.
        generator: of the borders' irregularities and of texture.
    """

    def __init__(self, draw: HeartDraw, chest: Chest, muscle: Muscle, generator: torch.Generator) -> None:
        self.heart: BeatingHeart = draw.heart
        self.merging = draw.merging
        self.chest, self.muscle = chest, muscle
        self.coarse = SmoothNoise(4, 11.0, generator)
        self.fine = SmoothNoise(2, 1.7, generator, nodes=80)
        self.grain = SmoothNoise(1, 3.5, generator, nodes=64)

    def at(self, points: Tensor, systole: bool) -> TissueView:
        """The tissues at some places.

        Args:
            points: places at end diastole, ``(P, 3)`` in mm, coordinates of the heart.
            systole: whether muscle has merged with the wall.
        """
        return TissueView(self, points.float(), systole and self.muscle.merges)


class TissueView:
    """Tissues at some places, computed once for signal and labels; see :meth:`CardiacScene.at`."""

    def __init__(self, scene: CardiacScene, points: Tensor, systole: bool) -> None:
        self._scene, self._shape, self._muscle = scene, scene.heart.shape, scene.muscle
        self._systole, self._place = systole, (points[:, 0], points[:, 1], points[:, 2])
        x, y, self._z = self._place
        self._coarse, self._fine = scene.coarse.at(points), scene.fine.at(points)
        self._texture = 0.6 * self._fine[0] + 0.8 * scene.grain.at(points)[0]
        self._angle, self._r = torch.atan2(y, x), torch.hypot(x, y)
        inner, outer = scene.heart.diastolic_radii(self._angle, self._z)
        # Borders need not follow the motion's own surfaces: tissue of any form goes with the motion.
        uneven = 0.7 * scene.chest.wobble * (-self._z / 10).clamp(0, 1) * (inner / 10).clamp(max=1)
        self._radius = inner + uneven * self._coarse[2]
        self._outer = outer + uneven * self._coarse[1]
        self._level = (-self._z / self._shape.length).clamp(0, 1)
        share = merging_share(self._level, scene.merging if systole else 0.0)
        self._inner = self._radius * (1 - share).sqrt()
        self._right = self._right_distance(*scene.heart.across(x, y), scene.heart.septum(self._z))

    @property
    def texture(self) -> Tensor:
        """Variation of the signal within tissue, deviation 1, ``(P,)``; it goes with the tissue."""
        return self._texture

    def layers(self) -> Iterator[Layer]:
        """Tissues from the lowest to the uppermost; the first is everywhere."""
        chest, shape = self._scene.chest, self._shape
        yield from around_heart(chest, shape, self._place, self._coarse, self._fine)
        heart = _joined(self._right - shape.rv_wall, self._r - self._outer, _GROOVE)
        yield Layer("fat", heart - (chest.heart_fat + 3.5 * self._coarse[1]).clamp(min=0.6))
        yield from chest_wall(chest, shape, self._place, self._coarse)
        yield Layer("fat", heart - 0.6)
        yield from self._right_layers()
        yield from self._left_layers()

    def labels(self, error: Tensor) -> Tensor:
        """Labels as a reader draws them: 1 right cavity, 2 wall with what has merged, 3 left cavity.

        Args:
            error: of the reader's contours in mm, ``(P,)``.

        Returns:
            ``(P,)``, uint8.
        """
        found = torch.zeros(self._z.shape, dtype=torch.uint8)
        found[(self._right + self._merged_right + error < 0) & (self._z < _RIGHT_TOP)] = _RIGHT
        below = self._z < 0
        found[(self._r - self._outer + error < 0) & below] = _WALL
        found[(self._r - self._inner + error < 0) & below] = _LEFT
        return found

    @property
    def _merged_right(self) -> float:
        return self._muscle.merged_right if self._systole else 0.0

    def _right_distance(self, toward: Tensor, along: Tensor, septum: Tensor) -> Tensor:
        s = self._shape
        tip = s.rv_tip * s.length
        form = ((1 - (-self._z / tip).clamp(0, 1) ** 2.2) ** 0.55).clamp(min=0.15)
        width, height = s.rv_width * form + 6, s.rv_height * form
        # Towards the septum the ventricle is a crescent, whose horns do not embrace the left one.
        offset = toward - septum + 6
        width = torch.where(offset > 0, width, (_HORNS * septum).clamp(min=6))
        across, up = offset / width, (along - s.rv_lean + 0.1 * self._z) / height
        slope = 2 * torch.hypot(across / width, up / height)
        crescent = (across**2 + up**2 - 1) / slope.clamp(min=_TINY) + 1.6 * self._scene.chest.wobble * self._coarse[0]
        closed = torch.maximum(crescent, 0.5 * (-self._z - tip) + 1)
        return torch.maximum(closed, self._outer - self._r)

    def _right_layers(self) -> Iterator[Layer]:
        yield Layer("wall", self._right - self._shape.rv_wall)
        yield Layer("right blood", self._right + self._merged_right)
        # Trabeculae grow towards the apex and the free wall.
        sparse = self._muscle.mesh + 1.6 - 1.2 * self._level - (0.4 if self._systole else 0.0)
        yield Layer("wall", torch.maximum(2.5 * (sparse - self._fine[0]), self._right), 0.6)

    def _left_layers(self) -> Iterator[Layer]:
        yield Layer("wall", self._r - self._outer)
        # Contours are drawn smooth, but muscle is not: it reaches in and leaves pockets, more so at end systole.
        rough = 1.0 * self._fine[1] + 1.2 * self._coarse[0] if self._systole else 0.5 * self._fine[1]
        yield Layer("blood", self._r - self._inner + rough * (self._level * 4).clamp(max=1))
        rim = self._radius * (1 - self._muscle.trabeculae * (self._level * 2).clamp(max=1))
        mesh = 2.5 * (self._muscle.mesh - (0.6 if self._systole else 0.0) - self._fine[0])
        yield Layer(
            "wall", torch.maximum(mesh, (self._r - (rim + self._radius) / 2).abs() - (self._radius - rim) / 2), 0.75
        )
        for angle in self._muscle.papillary:
            yield Layer("wall", self._papillary(angle + self._shape.rv_angle - math.pi) + 0.9 * self._fine[1])

    def _papillary(self, angle: float) -> Tensor:
        size = self._muscle.papillary_size * (_GROWTH if self._systole else 1.0)
        q = self._r / self._radius.clamp(min=1.0)
        turn = torch.remainder(self._angle - angle + math.pi, 2 * math.pi) - math.pi
        level = (-self._z / self._shape.length - 0.5) / 0.27
        rho = ((q - (0.8 if self._systole else 0.72)) ** 2 + (q * turn) ** 2) / size**2
        return (torch.sqrt(rho + level**4 + _TINY) - 1) * size * self._radius.clamp(min=_SMALLEST)


def _joined(first: Tensor, second: Tensor, width: float) -> Tensor:
    """Smooth minimum of two distances: the corner between two bodies is filled."""
    share = (0.5 + (second - first) / (2 * width)).clamp(0, 1)
    return second + (first - second) * share - width * share * (1 - share) / 2
