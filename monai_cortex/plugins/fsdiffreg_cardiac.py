"""Deformable registration of cardiac images."""

from __future__ import annotations

from .record import Method

__all__ = ["method"]

method = Method(
    name="fsdiffreg_cardiac",
    summary="Deformable registration of cardiac MRI guided by diffusion features and scores, with refinement",
    network="monai_cortex.plugins.networks.fsdiffreg_net",
    bundle="fsdiffreg_cardiac",
    paper="MICCAI 2023",
)
