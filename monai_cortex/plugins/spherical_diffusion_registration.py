"""Registration of cortical surfaces on the sphere."""

from __future__ import annotations

from .record import Method

__all__ = ["method"]

method = Method(
    name="spherical_diffusion_registration",
    summary="Fold-free registration of cortical surfaces, guided by a diffusion score on the sphere",
    network="monai_cortex.plugins.networks.spherical_warp_net",
    bundle="spherical_diffusion_registration",
    paper="MICCAI 2025",
)
