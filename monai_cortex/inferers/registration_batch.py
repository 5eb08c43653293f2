"""Batches of pairs of maps for MONAI's trainer and evaluator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from monai_cortex.data import own_rows

__all__ = ["RegistrationBatch"]


class RegistrationBatch:
    """Split a batch into what the networks get; draw a stiffness for each pair.

    Networks that see every stiffness can be asked for any.

    Args:
        stiffness: range of the draws, log-uniform, above 0; a single number for all.

    Raises:
        ValueError: if a stiffness is not above 0.
    """

    def __init__(self, stiffness: float | Sequence[float] = (0.25, 4.0)) -> None:
        limits = [stiffness] if isinstance(stiffness, (int, float)) else stiffness
        if not min(limits) > 0:
            raise ValueError(f"stiffness must be above 0, got {stiffness}.")
        self.low, self.high = math.log(min(limits)), math.log(max(limits))

    def __call__(
        self,
        batch: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **_: object,
    ) -> tuple[Tensor, None, tuple[Tensor, Tensor], dict[str, Any]]:
        """Return fixed maps ``(B, C, V)``, nothing, moving maps ``(B, C, V)`` with stiffness ``(B,)``, and no names."""
        fixed, moving = (batch[name].to(device, non_blocking=non_blocking) for name in ("fixed", "moving"))
        # Without a choice nothing is drawn, so that validations leave the random numbers of the training alone.
        share = own_rows(torch.rand, len(fixed)) if self.high > self.low else torch.zeros(len(fixed))
        stiffness = torch.exp(self.low + (self.high - self.low) * share)
        return fixed, None, (moving, stiffness.to(fixed)), {}
