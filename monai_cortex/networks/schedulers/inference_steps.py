"""Timesteps that few-step samplers go along."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bridge_steps", "even_steps", "next_step"]

_ENDS = 2


def bridge_steps(timesteps: int, number: int) -> Tensor:
    """Even strides down from the last timestep, then 1 and 0, as the published bridges have it.

    Args:
        timesteps: T, at least 2.
        number: of steps n, 1 to T. For T all timesteps, for 1 the last one, for 2 the last one and 0.

    Returns:
        Decreasing timesteps, ``(n,)`` int64; for strides near 1 a few less than n.

    Reference:
        Li, Xue, Liu, Lai, CVPR 2023, arXiv:2205.07680.
    """
    if number == timesteps or number <= _ENDS:
        return even_steps(timesteps, number)
    stride = (timesteps - 1) / (number - _ENDS)
    strides = [int(timesteps - 1 - i * stride) for i in range(number) if timesteps - 1 - i * stride > 1]
    return torch.tensor(sorted({*strides, 1, 0}, reverse=True))


def even_steps(timesteps: int, number: int) -> Tensor:
    """Timesteps from the last one to 0, as evenly spaced as integers are; the last one alone for 1.

    Args:
        timesteps: T, at least 1.
        number: of steps n, 1 to T.

    Returns:
        Decreasing timesteps, ``(n,)`` int64.
    """
    return torch.linspace(timesteps - 1, 0, number, dtype=torch.float64).round().long()


def next_step(timesteps: Tensor, timestep: int) -> int | None:
    """The timestep behind one in a list; None behind the last one. Nothing is computed from strides, only looked up.

    Args:
        timesteps: the list, ``(n,)``.
        timestep: one of them.

    Raises:
        ValueError: if it is not in the list.
    """
    place = (timesteps == timestep).nonzero().flatten()
    if len(place) != 1:
        raise ValueError(f"timestep {timestep} is not one of those set, {timesteps.tolist()[:12]}...")
    index = int(place) + 1
    return int(timesteps[index]) if index < len(timesteps) else None
