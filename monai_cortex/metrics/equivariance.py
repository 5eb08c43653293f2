"""How far a network is from commuting with rotations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["equivariance_error"]

Action = Callable[[Tensor], Tensor]


@torch.no_grad()
def equivariance_error(function: Action, x: Tensor, rotate_in: Action, rotate_out: Action | None = None) -> Tensor:
    r"""Relative error :math:`\|f(g\,x) - g\,f(x)\| / \|f(g\,x)\|` of an equivariant map, 0 where f = 0.

    Args:
        function: f, in the mode in which it is to be judged.
        x: input of f, ``(B, ...)``; band-limited where the rotation of samples is exact for such functions only.
        rotate_in: how the rotation g acts on inputs, for instance by ``geometry.rotation.sample_rotation``.
        rotate_out: how g acts on outputs; None is the same as on inputs. What it cannot represent counts as error.

    Returns:
        The error, dimensionless, a scalar.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819 (equivariance under grid, voxel and joint rotations; the
        measure is this package's).
    """
    moved = function(rotate_in(x))
    difference = moved - (rotate_out or rotate_in)(function(x))
    return difference.norm() / moved.norm().clamp_min(torch.finfo(moved.dtype).tiny)
