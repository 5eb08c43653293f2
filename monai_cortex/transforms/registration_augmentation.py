"""Random changes of pairs of maps for the training of registration."""

from __future__ import annotations

from monai.transforms import Compose

from monai_cortex.transforms.rand_rotate_sphere import RandRotateSphered
from monai_cortex.transforms.rand_warp_sphere import RandWarpSphered

__all__ = ["registration_augmentation"]


def registration_augmentation(warp: float = 0.8, rotate: float = 0.0) -> Compose:
    """Deform the moving map, turn both.

    Args:
        warp: probability of a smooth deformation of ``moving``.
        rotate: probability of a rotation of ``fixed`` and ``moving`` together; equivariant networks need none.

    Returns:
        Transform of items with ``fixed`` and ``moving`` ``(C, V)`` on an icosphere.
    """
    return Compose(
        [RandWarpSphered(keys="moving", prob=warp), RandRotateSphered(keys=["fixed", "moving"], prob=rotate)]
    )
