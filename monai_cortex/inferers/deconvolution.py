"""Batches of diffusion MRI for MONAI's trainer and evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["prepare_deconvolution_batch"]

_TARGET = ("dwi", "design", "mask")
_OPTIONAL = ("truth",)


def prepare_deconvolution_batch(
    batch: Mapping[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: object
) -> tuple[Tensor, dict[str, Tensor]]:
    """Split a batch into the network's input and what the loss compares its result with.

    Args:
        batch: with ``features`` ``(B, C, I, J, K)``, ``dwi`` ``(B, N, I, J, K)``, ``design`` ``(B, N, n)`` and ``mask``
            ``(B, 1, I, J, K)``; ``truth`` ``(B, n, I, J, K)`` may be there.
        device: where to put them.
        non_blocking: copy asynchronously from pinned memory.

    Returns:
        The features, and a mapping of the others, on the device.
    """
    names = ["features", *_TARGET, *(name for name in _OPTIONAL if name in batch)]
    moved = {name: batch[name].to(device, non_blocking=non_blocking) for name in names}
    return moved.pop("features"), moved
