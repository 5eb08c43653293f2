"""Demonstrations: each runs a bundle through the stock client and shows what came out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from monai_cortex.plugins import available

from . import cor2vox_synthesis, fsdiffreg_cardiac, shd_deconvolution, spherical_diffusion_registration
from .collection import demonstrate
from .demonstration import Demonstration, Finding
from .installed_method import installed_demonstration

__all__ = ["DEMONSTRATIONS", "Demonstration", "Finding", "demonstrate", "demonstrations"]

DEMONSTRATIONS = {
    "shd_deconvolution": shd_deconvolution.DEMONSTRATION,
    "spherical_diffusion_registration": spherical_diffusion_registration.DEMONSTRATION,
    "cor2vox_synthesis": cor2vox_synthesis.DEMONSTRATION,
    "fsdiffreg_cardiac": fsdiffreg_cardiac.DEMONSTRATION,
}


def demonstrations() -> dict[str, Callable[[], Demonstration]]:
    """All demonstrations by method: ours, then those of other distributions' methods, imported when they are called."""
    others = (plugin.name for plugin in available("methods") if plugin.name not in DEMONSTRATIONS)
    ours = {name: partial(DEMONSTRATIONS.__getitem__, name) for name in DEMONSTRATIONS}
    return {**ours, **{name: partial(installed_demonstration, name) for name in others}}
