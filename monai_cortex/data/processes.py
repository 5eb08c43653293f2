"""What one process of several that train together takes of what belongs to all of them.

A step of W processes with b items each is that of one process with W b items: drawn numbers, counts and statistics are
those of the whole batch, of which each process has the rows that follow those of the process before it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["batch_count", "own_rows", "process_rank"]


def process_rank() -> tuple[int, int]:
    """Rank of this process, and how many processes train together: 0 and 1 without torch.distributed."""
    together = dist.is_available() and dist.is_initialized()
    return (dist.get_rank(), dist.get_world_size()) if together else (0, 1)


def own_rows(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """Draw for the whole batch and take this process' rows, so that generators stay alike in all processes.

    Args:
        draw: gives random values ``(N, ...)`` for N rows.
        rows: of each process.

    Returns:
        ``(rows, ...)``.
    """
    rank, number = process_rank()
    return draw(rows * number)[rank * rows : (rank + 1) * rows]


def batch_count(count: Tensor) -> Tensor:
    """A process' equal part of how much there is in the whole batch, which is taken to be at least 1.

    Sums over a process' items, divided by it, have the quotient of the whole batch as their mean over the processes;
    divided by what each process has itself, few voxels would count as much as many.

    Args:
        count: of this process, without gradient. All processes must ask together, as they do in training; without
            gradients, in validation, each one is by itself.

    Returns:
        Of the count's shape.
    """
    _, number = process_rank()
    if number == 1 or not torch.is_grad_enabled():
        return count.clamp_min(1)
    total = count.detach().clone()
    dist.all_reduce(total)
    return total.clamp_min(1) / number
