"""How well the fibers of neighboring voxels continue each other: low where gradient axes are flipped or swapped."""

from __future__ import annotations

import math
from itertools import permutations, product

import torch
from torch import Tensor

__all__ = ["axis_orders", "fiber_coherence"]

# 13 of 26 neighbors; the others are their antipodes.
_NEIGHBORS = torch.cartesian_prod(*[torch.arange(-1, 2, device="cpu")] * 3)[14:]


def axis_orders() -> Tensor:
    """The 24 ways to flip and swap three axes that differ on unsigned directions, ``(24, 3, 3)``, the identity first.

    Flipping all three changes no unsigned direction; of each such pair the matrix with fewer flips is listed.
    """
    signs = [s for s in product((1.0, -1.0), repeat=3) if sum(s) > 0]
    return torch.stack(
        [
            torch.diag(torch.tensor(sign, dtype=torch.float64))[list(order)]
            for order in permutations(range(3))
            for sign in signs
        ]
    )


def fiber_coherence(axes: Tensor, mask: Tensor) -> float:
    r"""Mean of :math:`|a \cdot a'|` over neighbors, weighted by :math:`(a \cdot d)^4`, zero where there is no fiber.

    The weight says how well the fiber a of a voxel points to its neighbor, d being the unit vector between them. Fibers
    that point out of their bundle lower the mean as those do that point to fibers of another direction.

    Args:
        axes: unit vectors along the voxel axes, voxels being cubes, ``(I, J, K, 3)``; their sign does not matter.
        mask: voxels with a fiber, ``(I, J, K)``; neighbors beyond the grid do not count.

    Returns:
        0 to 1; NaN without a fiber that has neighbors.

    Reference:
        After Schilling et al., Magn. Reson. Imaging 58:82-89, 2019 (fiber coherence index).
    """
    inside = mask > 0
    vectors = axes.double() * inside[..., None]
    agreement, weight = 0.0, 0.0
    for step in _NEIGHBORS.tolist():
        here, there = (tuple(_overlap(sign * s) for s in step) for sign in (1, -1))
        direction = torch.nn.functional.normalize(torch.tensor(step, dtype=torch.float64), dim=0)
        along = (vectors[here] @ direction) ** 4 + (vectors[there] @ direction) ** 4
        agreement += float(((vectors[here] * vectors[there]).sum(-1).abs() * along).sum())
        weight += float(along.sum())
    return agreement / weight if weight else math.nan


def _overlap(step: int) -> slice:
    """Voxels of an axis that have a neighbor a step away."""
    return slice(max(0, -step), min(0, -step) or None)
