"""The body around a heart: its dimensions, and what it lies on, behind and under as layers of signed distances."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.simulate.beating_heart import HeartShape

__all__ = ["Chest", "Layer", "around_heart", "chest_wall", "draw_chest", "turned"]

_MIDDLE = 40.0  # mm below the base, where gaps are given
_ANGLES = {"chest": (-0.3, 0.9), "floor": (-0.45, 0.35)}


class Layer(NamedTuple):
    """A tissue that lies over those before it.

    Attributes:
        tissue: name.
        distance: signed, in mm, negative inside, ``(P,)``; true near the border only.
        amount: opacity inside, in [0, 1].
    """

    tissue: str
    distance: Tensor
    amount: float = 1.0


@dataclass(frozen=True)
class Chest:
    """Dimensions of the body. Lengths in mm, angles in radian.

    Attributes:
        angle: from the heart to the nearest chest wall.
        gap: between the right ventricle and the chest wall.
        axes: half axes of the body's outline towards the chest wall and across.
        muscle, skin_fat: thickness of the chest wall's layers.
        floor_angle: from the heart to the diaphragm.
        floor_gap: between heart and diaphragm, negative where the heart covers it.
        floor_bend: radius of the dome.
        floor_fat: largest thickness of the fat on the diaphragm.
        cleft: place of the gap between liver and stomach, along the diaphragm.
        stomach: half axes of the stomach, and its place along and below the diaphragm.
        heart_fat: mean thickness of the fat around the heart.
        aorta: place and radius; a radius of 0 is none.
        wobble: deviation of the borders.
        vessels: level over which noise is a vessel of the lung; smaller is more of them.
    """

    angle: float
    gap: float
    axes: tuple[float, float]
    muscle: float
    skin_fat: float
    floor_angle: float
    floor_gap: float
    floor_bend: float
    floor_fat: float
    cleft: float
    stomach: tuple[float, float, float, float]
    heart_fat: float
    aorta: tuple[float, float, float]
    wobble: float
    vessels: float


def draw_chest(generator: torch.Generator) -> Chest:
    """Draw a body."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))

    return Chest(
        angle=math.pi + between(*_ANGLES["chest"]),
        gap=between(-4, 18),
        axes=(between(95, 180), between(80, 170)),
        muscle=between(8, 26),
        skin_fat=between(5, 35),
        floor_angle=math.pi / 2 + between(*_ANGLES["floor"]),
        floor_gap=between(-7, 8),
        floor_bend=between(70, 250),
        floor_fat=between(0, 9),
        cleft=between(-10, 40),
        stomach=(between(18, 42), between(12, 30), between(15, 70), between(5, 35)),
        heart_fat=between(-3, 4),
        aorta=(between(45, 85), between(5, 45), max(between(-6, 13), 0.0)),
        wobble=between(0.6, 1.6),
        vessels=between(2.2, 3.2),
    )


def around_heart(
    chest: Chest, shape: HeartShape, place: tuple[Tensor, Tensor, Tensor], coarse: Tensor, fine: Tensor
) -> Iterator[Layer]:
    """Lung, aorta, diaphragm, liver and stomach, from the lowest to the uppermost.

    Args:
        chest: dimensions.
        shape: of the heart.
        place: coordinates of the heart in mm, each ``(P,)``.
        coarse: smooth noise with deviation 1, ``(4, P)``.
        fine: likewise, of a smaller scale, ``(2, P)``.
    """
    x, y, z = place
    yield Layer("lung", torch.full_like(x, -1.0))
    yield Layer("vessel", 2.5 * (chest.vessels - fine[1] - 0.5 * coarse[3].clamp(min=0)))
    right, low, radius = chest.aorta
    if radius:
        aorta = torch.hypot(x - right, y - low) - radius
        yield Layer("fat", aorta - 4 - 2 * coarse[2])
        yield Layer("muscle", aorta - 1.5)
        yield Layer("blood", aorta)
    down, side = turned(x, y, chest.floor_angle)
    reach = shape.radius + shape.wall + chest.floor_gap
    depth = reach + side**2 / (2 * chest.floor_bend) - down + 2 * chest.wobble * coarse[2] - 0.12 * (z + _MIDDLE)
    yield Layer("fat", depth - 1.5 - chest.floor_fat * (0.5 + coarse[1] - side / 60).clamp(0, 1.5))
    yield Layer("liver", depth)
    yield Layer("vessel", torch.maximum(depth + 6, 3 * (1.6 - coarse[3])), 0.4)
    long, deep, across, below = chest.stomach
    # Angles grow clockwise in the image: what is on the left ventricle's side has a negative coordinate.
    rho = torch.hypot((side + across) / long, (down - reach - below) / deep)
    stomach = (rho - 1) * min(long, deep) + 3 * chest.wobble * coarse[0]
    yield Layer("fat", torch.maximum((side + chest.cleft + 5 * coarse[1]).abs() - 2, depth))
    yield Layer("fat", torch.maximum(stomach - 2 - 2 * coarse[3].clamp(min=0), depth))
    yield Layer("muscle", torch.maximum(stomach, depth))
    yield Layer("stomach", torch.maximum(stomach + 3, depth))


def chest_wall(
    chest: Chest, shape: HeartShape, place: tuple[Tensor, Tensor, Tensor], coarse: Tensor
) -> Iterator[Layer]:
    """Fat, muscle, fat under the skin, skin and air, from the innermost to the outermost.

    Args:
        chest: dimensions.
        shape: of the heart.
        place: coordinates of the heart in mm, each ``(P,)``.
        coarse: smooth noise with deviation 1, ``(4, P)``.
    """
    toward, side = turned(place[0], place[1], chest.angle)
    wall = chest.muscle + chest.skin_fat
    edge = shape.radius + shape.wall + shape.rv_width + chest.gap + wall + 0.15 * (place[2] + _MIDDLE)
    half, across = chest.axes
    rho = torch.hypot((toward - edge + half) / half, side / across)
    depth = (1 - rho) * half + 1.5 * chest.wobble * coarse[3]
    inner = depth - wall
    yield Layer("fat", inner - 1.5 - 2 * coarse[1].clamp(min=0))
    yield Layer("muscle", inner)
    streaks = torch.maximum(inner + 3, -(inner + chest.muscle - 2))
    yield Layer("fat", torch.maximum(streaks, 4 * (0.9 - coarse[2])), 0.8)
    yield Layer("fat", depth - chest.skin_fat)
    yield Layer("skin", depth - 2)
    yield Layer("air", depth)


def turned(x: Tensor, y: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Coordinates along a direction and at a right angle to it.

    Args:
        x, y: ``(P,)`` in mm.
        angle: of the direction in radian.
    """
    c, s = math.cos(angle), math.sin(angle)
    return c * x + s * y, -s * x + c * y
