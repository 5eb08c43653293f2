"""How far displacements are from the true ones, and from being each other's inverse."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.displacement import compose
from monai_cortex.geometry.displacement_space import to_world

__all__ = ["DisplacementError", "end_point_error", "inverse_consistency_error"]


class DisplacementError(NamedTuple):
    """Lengths of the errors over the counted voxels; NaN where none is counted.

    Attributes:
        mean: a scalar, mm or voxels.
        percentile95: as before.
        highest: as before.
    """

    mean: float
    percentile95: float
    highest: float


def end_point_error(
    ddf: Tensor, truth: Tensor, affine: ArrayLike | Tensor, mask: Tensor | None = None
) -> DisplacementError:
    """Distance between where two fields lead, mm.

    Args:
        ddf, truth: voxels of one grid, ``(3, I, J, K)``.
        affine: of the grid, voxel indices to mm, ``(4, 4)``.
        mask: voxels to count, above 0, ``(I, J, K)`` or ``(1, I, J, K)``; None are all.

    Raises:
        ConfigError: the shapes differ.
        GeometryError: not fields, or the affine does not place them in space.
    """
    first, second = _pair(ddf, truth)
    return _summary(to_world(first - second, affine).norm(dim=-1), mask)


def inverse_consistency_error(first: Tensor, second: Tensor, mask: Tensor | None = None) -> DisplacementError:
    """Distance from where one starts to where ``second`` and then ``first`` lead, voxels.

    Args:
        first, second: voxels of one grid, ``(3, I, J, K)``.
        mask: voxels to count, above 0, ``(I, J, K)`` or ``(1, I, J, K)``; None are all. Near the border, ``second`` may
            lead out of the grid, where ``first`` goes on constantly: leave such voxels out.

    Raises:
        ConfigError: the shapes differ.
        GeometryError: not fields.
    """
    fields = _pair(first, second)
    return _summary(compose(*(field[None] for field in fields))[0].norm(dim=0), mask)


def _pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    one, two = (torch.as_tensor(field).detach().as_subclass(Tensor).double().cpu() for field in (first, second))
    _require(one.shape == two.shape, one, two, "twice (3, I, J, K)")
    return one, two


def _summary(lengths: Tensor, mask: Tensor | None) -> DisplacementError:
    values = lengths.flatten()
    if mask is not None:
        inside = torch.as_tensor(mask).as_subclass(Tensor).cpu() > 0
        _require(inside.shape in (lengths.shape, (1, *lengths.shape)), lengths, inside, "twice (I, J, K)")
        values = values[inside.flatten()]
    if not len(values):
        return DisplacementError(*[float("nan")] * 3)
    # NumPy's has no limit of 16 million values.
    return DisplacementError(float(values.mean()), float(np.quantile(values.numpy(), 0.95)), float(values.max()))


def _require(fits: bool, first: Tensor, second: Tensor, expected: str) -> None:
    if not fits:
        found = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ConfigError("displacements, truth and mask must lie on one grid", found=found, expected=expected)
