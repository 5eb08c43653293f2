"""Maps of space that are known as functions: their Jacobian determinant and their inverse at points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["invert_map", "map_jacobian"]

_STEP = 1e-4  # of central differences, in the unit of the points
_HALVINGS = 4


def map_jacobian(forward: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Derivative of a map by central differences.

    Args:
        forward: takes points ``(P, 3)`` to points ``(P, 3)``.
        points: ``(P, 3)``, float64.

    Returns:
        ``(P, 3, 3)``; the last axis is that of the points moved, so that its determinant is the change of volume.
    """
    steps = _STEP * torch.eye(3, dtype=points.dtype)
    return torch.stack([(forward(points + s) - forward(points - s)) / (2 * _STEP) for s in steps], dim=-1)


def invert_map(
    forward: Callable[[Tensor], Tensor],
    targets: Tensor,
    tolerance: float = 1e-6,
    iterations: int = 40,
) -> Tensor:
    """Points that a map takes to given targets, by Newton's method with shortened steps.

    Args:
        forward: an invertible map, continuous and piecewise smooth, of points ``(P, 3)``, not far from the identity.
        targets: ``(P, 3)``, float64.
        tolerance: largest distance left, in the unit of the points.
        iterations: at most.

    Returns:
        ``(P, 3)``.

    Raises:
        ArithmeticError: some points were not found; the map is not invertible there, or steeper than the search.
    """
    found = targets.clone()
    rest = forward(found) - targets
    for _ in range(iterations):
        open_ = (~(rest.norm(dim=1) <= tolerance)).nonzero()[:, 0]
        if not len(open_):
            return found
        found[open_], rest[open_] = _newton(forward, found[open_], targets[open_], rest[open_])
    raise ArithmeticError(f"{len(open_)} of {len(targets)} points were not found: distance {rest.norm(dim=1).max():g}.")


def _newton(forward: Callable[[Tensor], Tensor], found: Tensor, targets: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    # One-sided differences: half the calls, and Newton's method corrects itself.
    sides = _STEP * torch.eye(3, dtype=found.dtype)
    slopes = torch.stack([(forward(found + side) - rest - targets) / _STEP for side in sides], dim=-1)
    step = torch.linalg.solve_ex(slopes, rest).result
    share = torch.ones(len(found), 1, dtype=found.dtype)
    for _ in range(_HALVINGS):
        trial = found - share * step
        left = forward(trial) - targets
        worse = left.norm(dim=1) >= rest.norm(dim=1)
        if not worse.any():
            break
        share = torch.where(worse[:, None], share / 2, share)
    return trial, left
