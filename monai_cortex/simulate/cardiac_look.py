"""Contrasts of cine images: bright blood, darker muscle, and much variety in the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

__all__ = ["CardiacLook", "draw_look"]

_RANGES = {
    "blood": (0.85, 1.15),
    "right blood": (0.7, 1.1),
    "wall": (0.26, 0.6),
    "lung": (0.05, 0.35),
    "vessel": (0.4, 0.9),
    "fat": (0.5, 1.4),
    "liver": (0.25, 0.75),
    "stomach": (0.15, 0.9),
    "muscle": (0.12, 0.55),
    "skin": (0.3, 0.9),
    "air": (0.0, 0.04),
}
_ODD = 0.15  # share of images in which all but the left ventricle has any signal
_CONTRAST = 0.2  # of blood over the wall, at least
_LUNG = 0.75  # of the wall's signal, at most: the heart's border shows
_OPPOSED = 0.65  # share of images with fat opposed to water


@dataclass(frozen=True)
class CardiacLook:
    """How tissue becomes gray values; the unit is about the signal of blood.

    Attributes:
        means: signal of each tissue; where fat is negative, it is opposed to water, and voxels that hold both are dark.
        texture: relative deviation of the signal within a tissue.
        flow: relative deviation of the signal of blood, which differs between the phases.
        bias: deviation of the logarithm of the shading.
        coil: slope of the logarithm of the shading towards the chest wall over 100 mm.
        slices: relative deviation of the gain of slices.
        gain: of the image at end systole over that at end diastole.
        blur: standard deviation of the point spread in voxels.
        band: share of the measured frequencies; less than 1 rings at sharp borders.
        noise: standard deviation in each channel; the magnitude is Rician.
        scale: gray values of signal 1.
    """

    means: Mapping[str, float]
    texture: float = 0.1
    flow: float = 0.06
    bias: float = 0.15
    coil: float = 0.3
    slices: float = 0.04
    gain: float = 1.0
    blur: float = 0.5
    band: float = 1.0
    noise: float = 0.025
    scale: float = 300.0


def draw_look(generator: torch.Generator) -> CardiacLook:
    """Draw a contrast."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))

    means = {name: between(*limits) for name, limits in _RANGES.items()}
    if between(0, 1) < _ODD:
        means = {name: mean if name in ("blood", "wall") else between(0.0, 1.3) for name, mean in means.items()}
    means["right blood"] = max(means["right blood"], means["wall"] + _CONTRAST)
    means["lung"] = min(means["lung"], _LUNG * means["wall"])
    if between(0, 1) < _OPPOSED:
        means["fat"] = -means["fat"]
    return CardiacLook(
        means=means,
        texture=between(0.04, 0.16),
        flow=between(0.03, 0.18),
        bias=between(0.05, 0.25),
        coil=between(-0.1, 0.9),
        slices=between(0.0, 0.08),
        gain=between(0.8, 1.25),
        blur=between(0.25, 0.7),
        band=between(0.65, 1.0),
        noise=between(0.006, 0.03),
        scale=between(100, 600),
    )
