"""Demonstrations: each runs a bundle through the stock client and shows what came out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from monai_cortex.plugins import available

from .cor2vox_synthesis import demonstrate as demonstrate_cor2vox_synthesis
from .fsdiffreg_cardiac import demonstrate as demonstrate_fsdiffreg_cardiac
from .installed_method import demonstrate_installed
from .session import Step, run_steps
from .shd_deconvolution import demonstrate as demonstrate_shd_deconvolution
from .spherical_diffusion_registration import demonstrate as demonstrate_spherical_diffusion_registration

__all__ = ["DEMONSTRATIONS", "Step", "demonstrations", "run_steps"]

DEMONSTRATIONS = {
    "shd_deconvolution": demonstrate_shd_deconvolution,
    "spherical_diffusion_registration": demonstrate_spherical_diffusion_registration,
    "cor2vox_synthesis": demonstrate_cor2vox_synthesis,
    "fsdiffreg_cardiac": demonstrate_fsdiffreg_cardiac,
}


def demonstrations() -> dict[str, Callable[[Path, int | None], None]]:
    """All demonstrations by method: ours, then those of other distributions' methods; no method is imported."""
    others = (plugin.name for plugin in available("methods") if plugin.name not in DEMONSTRATIONS)
    return {**DEMONSTRATIONS, **{name: partial(demonstrate_installed, name) for name in others}}
