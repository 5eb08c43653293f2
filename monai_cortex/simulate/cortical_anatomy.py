"""Synthetic cortices: the surfaces of fsaverage5, smoothly deformed, with thicknesses of their own.

Always to be called synthetic: nobody has these folds, and their variation is this project's choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.data import fsaverage5_surfaces
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.pial_checks import unfolded_pial
from monai_cortex.geometry.random_waves import flow, random_waves
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.subdivision import loop_subdivision

__all__ = ["CorticalSurfaces", "CorticalVariation", "template_cortex", "vary_cortex"]

_HELD = 1.0  # mm: where the template is thinner (medial wall), so is everybody, by the same share
_TINY = 1e-6


class CorticalSurfaces(NamedTuple):
    """White and pial surfaces of both hemispheres, vertex by vertex one to the other.

    Attributes:
        white: by "lh" and "rh", vertices ``(V, 3)`` in mm, RAS+.
        pial: likewise, with the same faces.
    """

    white: dict[str, Mesh]
    pial: dict[str, Mesh]


@dataclass(frozen=True)
class CorticalVariation:
    """How much people differ. Deviations are of each component; wavelengths are the shortest and the longest.

    Attributes:
        coarse, coarse_mm: deviation and wavelengths of the deformation of the whole brain, mm.
        fine, fine_mm: likewise, of single folds.
        scale: smallest and largest size relative to the template.
        stretch: deviation of the single axes' logarithmic scales.
        turn: largest angle of the rotation in radian.
        thickness: where the template has so many mm, the median of people has.
        spread, spread_mm: deviation of the logarithmic thickness at one place, and its field's wavelengths in mm.
        limits: smallest and largest thickness in mm; the field saturates smoothly towards them.
    """

    coarse: float = 2.0
    coarse_mm: tuple[float, float] = (60.0, 120.0)
    fine: float = 0.8
    fine_mm: tuple[float, float] = (15.0, 25.0)
    scale: tuple[float, float] = (0.85, 1.08)
    stretch: float = 0.02
    turn: float = 0.15
    thickness: float = 2.5
    spread: float = 0.22
    spread_mm: tuple[float, float] = (20.0, 60.0)
    limits: tuple[float, float] = (1.5, 4.5)

    def __post_init__(self) -> None:
        low, high = self.limits
        if not 0 < low < self.thickness < high or not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"thickness must lie between its limits, and sizes must be positive, got {self}.")
        if min(self.coarse, self.fine, self.spread, self.stretch) < 0 or not 0 <= self.turn <= math.pi:
            raise ValueError(f"deviations must be 0 or more and the angle at most pi, got {self}.")


def template_cortex(level: int = 0) -> CorticalSurfaces:
    """The surfaces of fsaverage5, 10,242 vertices a hemisphere.

    Args:
        level: how often each triangle is split into four; the result is smooth, and its folds a little rounder.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    surfaces = CorticalSurfaces(fsaverage5_surfaces("white"), fsaverage5_surfaces("pial"))
    for _ in range(level):
        surfaces = CorticalSurfaces(*({side: loop_subdivision(m) for side, m in kind.items()} for kind in surfaces))
    return surfaces


def vary_cortex(
    template: CorticalSurfaces,
    generator: torch.Generator | None = None,
    variation: CorticalVariation | None = None,
) -> CorticalSurfaces:
    """Draw one synthetic person.

    One flow deforms space, with both hemispheres in it, so that no surface passes through another; scaling, stretch
    and rotation follow. Then the pial vertex moves along the line from its white partner to where a smooth random
    thickness wants it, drawn for each hemisphere and multiplied with the template's own: crowns are thicker than fundi.
    Where the template's surfaces meet, they stay together; where triangles would turn over, the cortex gets thinner.

    Args:
        template: see :func:`template_cortex`; coordinates in mm.
        generator: of the random numbers.
        variation: how much people differ.

    Returns:
        The person, float64, with the template's faces.
    """
    variation = variation or CorticalVariation()
    deformed = _deformed(template, generator, variation)
    pial = {}
    for side, white in deformed.white.items():
        before = (template.pial[side].vertices - template.white[side].vertices).norm(dim=1).double()
        way = deformed.pial[side].vertices - white.vertices
        wanted = _thickness(white.vertices, before, generator, variation) * (before / _HELD).clamp(max=1)
        length = way.norm(dim=1).clamp(min=_TINY)
        pial[side] = unfolded_pial(white, way * (wanted / length)[:, None])
    return CorticalSurfaces(deformed.white, pial)


def _deformed(
    template: CorticalSurfaces, generator: torch.Generator | None, variation: CorticalVariation
) -> CorticalSurfaces:
    meshes = [mesh for kind in template for mesh in kind.values()]
    points = torch.cat([mesh.vertices for mesh in meshes]).double()
    center = points.mean(0)
    coarse = random_waves(variation.coarse, variation.coarse_mm, 3, generator, waves=24)
    fine = random_waves(variation.fine, variation.fine_mm, 3, generator, waves=64)
    moved = (flow(points, coarse.joined(fine)) - center) @ _linear(generator, variation).T + center
    pieces = iter(moved.split([len(mesh.vertices) for mesh in meshes]))
    return CorticalSurfaces(*({side: Mesh(next(pieces), m.faces) for side, m in kind.items()} for kind in template))


def _linear(generator: torch.Generator | None, variation: CorticalVariation) -> Tensor:
    low, high = variation.scale
    scale = low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64)
    stretch = torch.randn(3, generator=generator, dtype=torch.float64)
    # Drawn even where it is not wanted, so that what is drawn next stays the same.
    turn = random_rotation(generator, variation.turn or math.pi)
    return (turn if variation.turn else torch.eye(3, dtype=torch.float64)) @ torch.diag(
        scale * torch.exp(variation.stretch * stretch)
    )


def _thickness(
    points: Tensor, before: Tensor, generator: torch.Generator | None, variation: CorticalVariation
) -> Tensor:
    field = random_waves(variation.spread, variation.spread_mm, 1, generator).at(points)[:, 0]
    ratio = field + torch.log(before.clamp(min=_HELD) / variation.thickness)
    low, high = (math.log(limit / variation.thickness) for limit in variation.limits)
    reach = torch.where(ratio < 0, -low, high)
    return variation.thickness * torch.exp(reach * torch.tanh(ratio / reach))
