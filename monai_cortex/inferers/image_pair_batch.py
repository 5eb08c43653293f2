"""Batches of image pairs for a network that denoises and registers at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.schedulers import Scheduler
from torch import Tensor

from monai_cortex.data import own_rows

__all__ = ["ImagePairBatch"]

_OPTIONAL = ("true_displacement", "fixed_label", "moving_label")


class ImagePairBatch:
    """Noise the fixed image; say what the loss compares with.

    Inference shows the network the fixed image itself at time 0. That time is one of thousands in training, where the
    registration depends on it as on any other: a share of clean steps trains for the one that counts.

    Args:
        scheduler: adds the noise; None adds none, which is what inference does.
        clean_share: probability that a pair is shown without noise, at time 0; 0 is as published.

    Reference:
        Qin and Li, MICCAI 2023, Eq. 1 and section 2.4; clean steps are this project's.
    """

    def __init__(self, scheduler: Scheduler | None = None, clean_share: float = 0.0) -> None:
        self.scheduler, self.clean_share = scheduler, clean_share

    def __call__(
        self,
        batch: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **_: object,
    ) -> tuple[Tensor, dict[str, Any], tuple[Tensor, Tensor, Tensor], dict[str, Any]]:
        """Return the moving image; what the loss needs; fixed and noisy image with the times; and no names."""

        def fetch(name: str) -> Tensor:
            return torch.as_tensor(batch[name]).to(device, non_blocking=non_blocking).as_subclass(Tensor)

        moving, fixed = fetch("moving_image"), fetch("fixed_image")
        # Drawn on the CPU, so that all devices see the same noise.
        noise, times, noised = self._draw(fixed.shape)
        noise, times, noised = (value.to(fixed.device) for value in (noise, times, noised))
        noisy = fixed
        if self.scheduler is not None:
            added = self.scheduler.add_noise(original_samples=fixed, noise=noise, timesteps=times)
            noisy = torch.where(noised[:, None, None, None, None] > 0, added, fixed)
        target = {
            "moving": moving,
            "fixed": fixed,
            "valid": fetch("valid"),
            "noise": noise,
            "noised": noised,
            **{name: fetch(name) for name in _OPTIONAL if name in batch},
        }
        return moving, target, (fixed, noisy, times), {}

    def _draw(self, shape: torch.Size) -> tuple[Tensor, Tensor, Tensor]:
        """Noise, times ``(B,)`` and whether to use them ``(B,)``; nothing is drawn where nothing is random."""
        zeros = torch.zeros(shape[0])
        if self.scheduler is None:
            return torch.zeros(shape), zeros.long(), zeros
        rows, last = shape[0], self.scheduler.num_train_timesteps
        noised = (own_rows(torch.rand, rows) >= self.clean_share).float()
        times = own_rows(lambda number: torch.randint(0, last, (number,)), rows)
        noise = own_rows(lambda number: torch.randn(number, *shape[1:]), rows)
        return noise, times * noised.long(), noised
