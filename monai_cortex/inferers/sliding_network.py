"""A network for windows, as one for whole brains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor

__all__ = ["SlidingNetwork"]


class SlidingNetwork:
    """Evaluate a diffusion network in overlapping windows at one timestep, so that a sampler sees the whole grid.

    Windows are blended at every step, not once at the end: all of them then go on from one sample, and no seams form.

    Args:
        network: takes ``x (B, C, i, j, k)`` and ``timesteps (B,)``.
        roi_size: voxels along the edges of a window.
        overlap: of neighboring windows, as a share of their edges, in [0, 1).
        batch: windows evaluated together.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        roi_size: Sequence[int] = (32, 32, 32),
        overlap: float = 0.25,
        batch: int = 4,
    ) -> None:
        self.network = network
        # A window's edge knows one side only: its weight there is small.
        self.windows = SlidingWindowInferer(
            roi_size, sw_batch_size=batch, overlap=overlap, mode="gaussian", padding_mode="replicate"
        )

    def __call__(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """Output ``(1, C', I, J, K)`` for an input ``(1, C, I, J, K)`` of any size, at a timestep ``(1,)``."""

        def evaluate(windows: Tensor) -> Tensor:
            return self.network(windows, timesteps=timesteps[:1].expand(len(windows)))

        return torch.as_tensor(self.windows(x, evaluate))
