"""How well two maps on one sphere agree."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["SphereAgreement", "sphere_agreement"]


class SphereAgreement(NamedTuple):
    """Agreement of each feature.

    Attributes:
        ncc: cosine of the maps without their means, in [-1, 1], ``(C,)``; NaN where a map is constant.
        mse: mean square difference of the maps scaled to mean 0 and deviation 1, dimensionless, ``(C,)``.
    """

    ncc: Tensor
    mse: Tensor


def sphere_agreement(first: Tensor, second: Tensor, weights: Tensor) -> SphereAgreement:
    r"""Normalized cross-correlation and mean square error, means being those over the sphere's area.

    Since both maps are scaled, the second follows from the first, mse = 2 (1 - ncc): it is reported for comparison
    with other work, and neither depends on the maps' units.

    Args:
        first, second: maps ``(C, V)``.
        weights: of the vertices, such as their areas or 0 for the medial wall, 0 or more, ``(V,)``.

    Raises:
        ValueError: if the shapes do not fit, or the weights are negative or all 0.
    """
    if first.ndim != 2 or first.shape != second.shape or weights.shape != first.shape[1:]:  # noqa: PLR2004
        raise ValueError(
            f"need two maps (C, V) and weights (V,), got {tuple(first.shape)}, {tuple(second.shape)} and "
            f"{tuple(weights.shape)}."
        )
    share = weights.double()
    if (share < 0).any() or not share.sum() > 0:
        raise ValueError(f"weights are 0 or more and not all 0, got {share.min():g} to {share.max():g}.")
    share = share / share.sum()
    one, two = (_scaled(values.double(), share) for values in (first, second))
    return SphereAgreement(ncc=(one * two * share).sum(1), mse=((one - two).square() * share).sum(1))


def _scaled(values: Tensor, share: Tensor) -> Tensor:
    """Maps of mean 0 and deviation 1; NaN where a map is constant but for rounding."""
    mean = (values * share).sum(1, keepdim=True)
    centered = values - mean
    deviation = (centered.square() * share).sum(1, keepdim=True).sqrt()
    constant = deviation <= 8 * torch.finfo(values.dtype).eps * mean.abs()
    return torch.where(constant, torch.nan, centered / deviation)
