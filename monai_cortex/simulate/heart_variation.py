"""How hearts differ: normal, dilated, thickened, infarcted, and with a large right ventricle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from monai_cortex.geometry.point_map import map_jacobian
from monai_cortex.geometry.random_waves import random_waves
from monai_cortex.simulate.beating_heart import BeatingHeart, HeartShape, LeftRadii

__all__ = ["HEART_GROUPS", "HeartDraw", "draw_heart", "ejection_fraction", "merging_share"]

Range = tuple[float, float]

HEART_GROUPS: MappingProxyType[str, dict[str, Range]] = MappingProxyType(
    {
        "normal": {"radius": (21, 28), "wall": (6, 10), "ejection": (0.52, 0.70), "rv_squeeze": (0.15, 0.38)},
        "dilated": {"radius": (28, 36), "wall": (6, 9), "ejection": (0.20, 0.40), "rv_squeeze": (0.1, 0.35)},
        "thick": {"radius": (19, 25), "wall": (12, 17), "ejection": (0.55, 0.70), "rv_squeeze": (0.15, 0.38)},
        "infarct": {"radius": (24, 33), "wall": (7, 10), "ejection": (0.22, 0.50), "rv_squeeze": (0.15, 0.45)},
        "large right": {"radius": (20, 26), "wall": (6.5, 9), "ejection": (0.45, 0.68), "rv_squeeze": (0.1, 0.3)},
    }
)
"""Ranges by group of the left ventricle's radius and wall in mm, of the ejection fraction, and of the right one's push.
They are this project's choice, after the five groups of people in public cine studies."""

_SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)
_DRIFT_MM = (80.0, 160.0)
_SQUEEZES = (0.35, 0.99)
_SMALL = 24.0  # mm, radius of hearts that are longer for their width
_MERGED = 0.45  # share of the cavity that muscle fills at end systole, at most
_DRAWS = 20
_FOLD = 0.1  # smallest change of volume that a map may have


@dataclass(frozen=True)
class HeartDraw:
    """A heart of a group.

    Attributes:
        heart: shape and motion.
        group: name in :data:`HEART_GROUPS`.
        ejection: ejection fraction of the left ventricle as labels show it, what merges with the wall included.
        merging: share of the cavity at end systole that papillary muscles and trabeculae fill, below the base.
    """

    heart: BeatingHeart
    group: str
    ejection: float
    merging: float


def draw_heart(generator: torch.Generator) -> HeartDraw:
    """Draw a heart that moves without folding.

    Args:
        generator: of the random numbers.

    Raises:
        ArithmeticError: no draw moves without folding.
    """
    for _ in range(_DRAWS):
        found = _draw(generator)
        if _smallest_change(found.heart) > _FOLD:
            return found
    raise ArithmeticError(f"none of {_DRAWS} draws moves without folding.")


def ejection_fraction(heart: BeatingHeart, merging: float) -> float:
    """Share of the left ventricle's cavity that leaves it, the cavity's filling by muscle included.

    Args:
        heart: shape and motion.
        merging: see :class:`HeartDraw`.
    """
    level, radii = _rings(heart)
    left = (radii.inner_es**2 * (1 - merging_share(level, merging))).sum()
    return 1 - heart.shape.axis_ratio * float(left / (radii.inner_ed**2).sum())


def merging_share(level: Tensor, merging: float) -> Tensor:
    """Share of the cavity that muscle fills at a level of the axis: none at the base, all of it from the middle."""
    ramp = ((level - 0.1) / 0.25).clamp(0, 1)
    return merging * ramp * ramp * (3 - 2 * ramp)


def _rings(heart: BeatingHeart) -> tuple[Tensor, LeftRadii]:
    """Levels of the left cavity's axis, and radii around them, both of shape ``(64, 64)``."""
    level, angle = torch.meshgrid(
        (torch.arange(64, dtype=torch.float64) + 0.5) / 64,
        torch.arange(64, dtype=torch.float64) * (2 * math.pi / 64),
        indexing="ij",
    )
    return level, heart.radii(angle, -heart.shape.length * level)


def _merging(heart: BeatingHeart, ejection: float, growth: float) -> float:
    """Share of the cavity whose muscle makes the wall's labels grow by a share of the wall."""
    level, radii = _rings(heart)
    cavity = float((radii.inner_ed**2).sum())
    muscle = growth * (float((radii.outer_ed**2).sum()) - cavity)
    share = muscle / (muscle + (1 - ejection) * cavity) / float(merging_share(level, 1.0).mean())
    return min(share, _MERGED)


def _draw(generator: torch.Generator) -> HeartDraw:
    names = list(HEART_GROUPS)
    group = names[int(torch.multinomial(torch.tensor(_SHARES), 1, generator=generator))]
    ranges = HEART_GROUPS[group]
    value = {name: _between(generator, *limits) for name, limits in ranges.items()}
    ejection, growth = value.pop("ejection"), _between(generator, 0.05, 0.24)
    drift = random_waves(_between(generator, 0.2, 0.6), _DRIFT_MM, 3, generator, waves=12)
    form: dict[str, Any] = {**value, **_form(generator, value["radius"], group)}
    drawn = HeartShape(**form, **_motion(generator, ejection, group))
    merging = _merging(BeatingHeart(drawn, drift), ejection, growth)
    heart = _squeezed(BeatingHeart(drawn, drift), ejection, merging)
    return HeartDraw(heart, group, ejection_fraction(heart, merging), merging)


def _form(generator: torch.Generator, radius: float, group: str) -> dict[str, Any]:
    wide = 1.3 if group == "large right" else 1.0
    lean = _between(generator, 0.6, 1.0)
    return {
        "length": radius * _between(generator, 2.6, 3.3) + 12 * (radius < _SMALL),
        "apex_wall": _between(generator, 4, 9),
        "oval": _between(generator, 0, 0.09),
        "oval_angle": _between(generator, 0, math.pi),
        "corner": _between(generator, 0, 0.05),
        "corner_angle": _between(generator, 0, math.pi),
        "bulge": _between(generator, 0.2, 0.5) if group == "thick" else _between(generator, 0, 0.15),
        "bulge_angle": math.pi + _between(generator, -1.2, 1.2),
        "rv_angle": math.pi + _between(generator, -0.5, 0.5),
        "rv_width": wide * _between(generator, 26, 42),
        "rv_height": wide * lean * 38 + _between(generator, 2, 14),
        "rv_lean": _between(generator, -8, 8),
        "rv_tip": _between(generator, 0.75, 0.98),
        "rv_wall": _between(generator, 2.0, 4.5),
    }


def _motion(generator: torch.Generator, ejection: float, group: str) -> dict[str, Any]:
    infarct = group == "infarct"
    return {
        "axis_ratio": 1 - ejection * _between(generator, 0.16, 0.30),
        "idle": _between(generator, 0.4, 0.95) if infarct else _between(generator, 0, 0.35),
        "idle_angle": _between(generator, -math.pi, math.pi),
        "idle_width": _between(generator, 0.5, 1.0),
        "idle_level": _between(generator, 0.3, 0.9),
        "torsion": ejection * _between(generator, 0.1, 0.5),
        "sway": (_between(generator, -4, 4), _between(generator, -4, 4)),
        "rv_shrink": _between(generator, 0.02, 0.14),
    }


def _squeezed(heart: BeatingHeart, ejection: float, merging: float) -> BeatingHeart:
    """The heart whose squeeze gives an ejection fraction, by bisection."""
    low, high = _SQUEEZES
    for _ in range(30):
        middle = (low + high) / 2
        trial = replace(heart, shape=replace(heart.shape, squeeze=middle))
        low, high = (middle, high) if ejection_fraction(trial, merging) > ejection else (low, middle)
    return trial


def _smallest_change(heart: BeatingHeart) -> float:
    s = heart.shape
    side = torch.linspace(-110, 110, 41, dtype=torch.float64) + 0.37
    height = torch.linspace(s.apex - 25, 45, 25, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(side, side, height, indexing="ij"), dim=-1).reshape(-1, 3)
    return float(torch.linalg.det(map_jacobian(heart.to_diastole, points)).min())


def _between(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))
