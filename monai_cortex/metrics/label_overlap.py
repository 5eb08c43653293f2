"""Overlap of two parcellations of one surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["LabelOverlap", "label_overlap"]

# What atlases call the vertices that they assign to no region.
_NO_REGION = {"", "unknown", "corpuscallosum", "medialwall", "???", "none"}


class LabelOverlap(NamedTuple):
    """Overlap of the R regions that both parcellations name.

    Attributes:
        names: of the regions, as the second parcellation orders them.
        dice: overlap by the number of vertices, in [0, 1], float64 ``(R,)``; NaN where neither has a vertex of it.
        weighted: overlap by the weight of the vertices, in [0, 1], float64 ``(R,)``.
    """

    names: tuple[str, ...]
    dice: Tensor
    weighted: Tensor


def label_overlap(
    first: Tensor,
    second: Tensor,
    names: Sequence[str],
    second_names: Sequence[str] | None = None,
    weights: Tensor | None = None,
) -> LabelOverlap:
    r"""Dice's coefficient :math:`2\,|A \cap B| / (|A| + |B|)` of each region.

    Regions are paired by name, since two subjects' tables may be in another order. No region are -1 and what is called
    unknown, corpuscallosum or medial wall; neither are regions that one of the tables does not know.

    Args:
        first, second: region of each vertex by its place in the names, -1 for none, ``(V,)``.
        names: of the first parcellation's regions.
        second_names: of the second one's; None are the same.
        weights: of the vertices, such as their areas, ``(V,)``; None are equal ones.

    Raises:
        ValueError: if the shapes do not fit, or a label has no name.
    """
    tables = (tuple(names), tuple(names if second_names is None else second_names))
    if first.ndim != 1 or first.shape != second.shape or (weights is not None and weights.shape != first.shape):
        raise ValueError(f"need labels of the same vertices (V,), got {tuple(first.shape)} and {tuple(second.shape)}.")
    for labels, table in zip((first, second), tables, strict=True):
        if len(labels) and (labels.min() < -1 or labels.max() >= len(table)):
            raise ValueError(f"labels are -1 to {len(table) - 1}, got {int(labels.min())} to {int(labels.max())}.")
    regions = tuple(dict.fromkeys(name for name in tables[1] if _is_region(name) and name in tables[0]))
    one, two = (_numbered(x, t, regions) for x, t in zip((first, second), tables, strict=True))
    equal = torch.ones(len(first), dtype=torch.float64)
    shares = [_dice(one, two, len(regions), part) for part in (equal, equal if weights is None else weights.double())]
    return LabelOverlap(regions, *shares)


def _is_region(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "") not in _NO_REGION


def _numbered(labels: Tensor, table: Sequence[str], regions: Sequence[str]) -> Tensor:
    """Labels by their place among the regions; their number for none."""
    places = {name: number for number, name in enumerate(regions)}
    # The last entry is where -1 leads.
    numbers = torch.tensor([*(places.get(name, len(regions)) for name in table), len(regions)])
    return numbers[labels.long().cpu()]


def _dice(first: Tensor, second: Tensor, count: int, weights: Tensor) -> Tensor:
    def total(labels: Tensor, part: Tensor) -> Tensor:
        return torch.zeros(count + 1, dtype=torch.float64).index_add_(0, labels, part.cpu())[:count]

    both = total(first, weights * (first == second))
    return 2 * both / (total(first, weights) + total(second, weights))
