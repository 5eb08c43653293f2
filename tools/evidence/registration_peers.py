"""Published registration networks beside FSDiffReg, small and in its manner of being called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.networks.nets import VoxelMorphUNet
from torch import Tensor, nn

from monai_cortex.geometry.displacement import exponential
from monai_cortex.networks.nets import fsdiffreg_net

__all__ = ["NETWORK", "PEERS", "DiffuseMorphPeer", "VoxelMorphPeer"]

NETWORK: dict[str, Any] = {
    "width": 8,
    "multipliers": (1, 2),
    "upsampling": "trilinear_scaled",
    "stem_pooling": (2, 2, 1),
    "half_precision": True,
}
_CHANNELS, _LAST, _TOP = (16, 32, 32, 32, 32, 32), (16, 16), 32  # MONAI's, which are VoxelMorph's


class VoxelMorphPeer(nn.Module):
    """A U-Net that gives a displacement, or with ``steps`` a velocity, zero before training.

    Args:
        steps: squarings; 0 takes the field for the displacement.

    Shape:
        as ``FSDiffRegNet``; noisy image and times change nothing, the score is 0.
    """

    def __init__(self, steps: int = 0) -> None:
        super().__init__()
        self.field_net, self.steps = VoxelMorphUNet(3, 2, _TOP, _CHANNELS, _LAST), steps
        *_, last = (layer for layer in self.field_net.modules() if isinstance(layer, nn.Conv3d))
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, moving: Tensor, fixed: Tensor, noisy: Tensor, timesteps: Tensor) -> dict[str, Any]:
        """Score and displacement."""
        del noisy, timesteps
        return {"score": torch.zeros_like(fixed), **self.register(moving, fixed)}

    def register(self, moving: Tensor, other: Tensor) -> dict[str, Any]:
        """Displacement of the moving image from it and another one."""
        with torch.autocast(moving.device.type, torch.bfloat16):
            field = self.field_net(torch.cat([moving, other], 1))
        field = field.to(moving)
        ddf = exponential(field, self.steps) if self.steps else field
        return {"ddf": ddf, "velocity": field if self.steps else None}


class DiffuseMorphPeer(VoxelMorphPeer):
    """Two networks: one predicts the noise, the other registers by that score and the moving image.

    The score is that of FSDiffReg's network, whose own field is not used.

    Reference:
        Kim, Han and Ye, DiffuseMorph, ECCV 2022.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score_net = fsdiffreg_net("reference", {**NETWORK, "guided": False})

    def forward(self, moving: Tensor, fixed: Tensor, noisy: Tensor, timesteps: Tensor) -> dict[str, Any]:
        """Score and displacement."""
        score = self.score_net(moving, fixed, noisy, timesteps)["score"]
        return {"score": score, **self.register(moving, score)}


PEERS: dict[str, Callable[[], nn.Module]] = {
    "voxelmorph": VoxelMorphPeer,
    "voxelmorph-diff": lambda: VoxelMorphPeer(7),
    "diffusemorph": DiffuseMorphPeer,
}
