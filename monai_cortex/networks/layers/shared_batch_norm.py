"""Batch normalization over the batch of all processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from monai_cortex.data.processes import process_rank

__all__ = ["SharedBatchNorm"]


class SharedBatchNorm(nn.BatchNorm1d):
    """PyTorch's batch normalization; where several processes train together, with the statistics of their whole batch.

    PyTorch's own ``SyncBatchNorm`` needs GPUs. Weights are interchangeable with those of ``BatchNorm1d``.

    Args:
        num_features: C.

    Shape:
        ``(N, C)`` to ``(N, C)``.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)

    def forward(self, x: Tensor) -> Tensor:
        rank, number = process_rank()
        if not self.training or number == 1:
            normalized: Tensor = super().forward(x)
            return normalized
        count, mean, variance = _merged(x, rank, number)
        with torch.no_grad():
            rate = self.momentum or 0.0
            self.running_mean.lerp_(mean, rate)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / (count - 1), rate)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias - mean * scale, x, scale)


def _merged(x: Tensor, rank: int, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Count of all rows, and mean and biased variance ``(C,)`` of each column over them, from those of all parts."""
    variance, mean = torch.var_mean(x, 0, correction=0)
    own = torch.cat([x.new_full((1,), len(x)), mean, variance])
    # A sum with zeros for the others gathers, and has a gradient.
    parts: Tensor = _SumOfAll.apply(nn.functional.pad(own[None], (0, 0, rank, number - 1 - rank)))
    counts, means, variances = parts.split([1, len(mean), len(mean)], 1)
    share = counts / counts.sum()
    mean = (share * means).sum(0)
    return counts.sum(), mean, (share * (variances + (means - mean).square())).sum(0)


class _SumOfAll(torch.autograd.Function):
    """Sum over processes; each one's part changes the loss of them all."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        total = gradient.clone()
        dist.all_reduce(total)
        return total
