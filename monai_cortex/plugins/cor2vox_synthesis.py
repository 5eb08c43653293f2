"""Brain MRI drawn from cortical surfaces."""

from __future__ import annotations

from .record import Method

__all__ = ["method"]

method = Method(
    name="cor2vox_synthesis",
    summary="Brain MRI drawn from cortical surfaces by a Brownian bridge, with shape model and sub-voxel atrophy",
    network="monai_cortex.plugins.networks.conditional_unet",
    bundle="cor2vox_synthesis",
    paper="arXiv:2601.19498",
)
