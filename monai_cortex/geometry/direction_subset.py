"""Choice of few directions among many."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["spread_subset"]


def spread_subset(directions: Tensor, number: int) -> Tensor:
    """Directions that are spread evenly, chosen one by one for the least electrostatic energy.

    Each direction and its antipode carry equal charges. The first direction is the first of the subset, so that equal
    tables give equal subsets.

    Args:
        directions: unit vectors ``(N, 3)``.
        number: how many to choose, 1 or more; N or more takes all.

    Returns:
        Indices in ascending order, int64 ``(min(number, N),)``.

    Reference:
        Cheng, Shen, Yap, Basser, IEEE Trans. Med. Imaging 37(1):185-199, 2018 (single subset by incremental
        electrostatic energy).
    """
    if number >= len(directions):
        return torch.arange(len(directions))
    cosine = (directions @ directions.T).clamp(-1, 1)
    energy = (2 + 2 * cosine).clamp_min(1e-12).rsqrt() + (2 - 2 * cosine).clamp_min(1e-12).rsqrt()
    chosen = torch.zeros(len(directions), dtype=torch.bool)
    chosen[0] = True
    for _ in range(number - 1):
        total = energy[:, chosen].sum(1)
        chosen[torch.where(chosen, torch.inf, total).argmin()] = True
    return chosen.nonzero()[:, 0]
