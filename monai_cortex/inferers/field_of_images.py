"""A registration network as one tensor in, one tensor out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["FieldOfImages"]


class FieldOfImages(nn.Module):
    """The published inference as a module: one pass with {fixed, moving, fixed} at time 0.

    Args:
        network: :class:`~monai_cortex.networks.nets.FSDiffRegNet`.

    Shape:
        moving and fixed image as channels ``(B, 2, I, J, K)`` in [-1, 1]; result: displacement in voxels, pull-back,
        ``(B, 3, I, J, K)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """The displacement."""
        moving, fixed = image[:, :1], image[:, 1:]
        times = torch.zeros(len(image), dtype=torch.long, device=image.device)
        result: Tensor = self.network(moving, fixed, fixed, times)["ddf"]
        return result
