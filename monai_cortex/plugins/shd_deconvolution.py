"""Spatio-hemispherical deconvolution of diffusion MRI."""

from __future__ import annotations

from .record import Method

__all__ = ["method"]

method = Method(
    name="shd_deconvolution",
    summary="E(3)xSO(3)-equivariant fiber orientation estimation from one or more shells",
    network="monai_cortex.plugins.networks.hemispherical_unet",
    bundle="shd_deconvolution",
    paper="arXiv:2411.11819",
)
