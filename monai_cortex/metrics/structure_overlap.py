"""How well the labels of two hearts lie upon each other."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.meandice import compute_dice
from monai.metrics.surface_distance import compute_average_surface_distance
from monai.utils import look_up_option
from numpy.typing import ArrayLike
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.volume_sampling import require_affine

__all__ = ["STRUCTURES", "StructureOverlap", "StructureOverlapMetric", "structure_overlap"]

STRUCTURES: Mapping[str, Sequence[int]] = {"lv": (3,), "myo": (2,), "epi": (2, 3), "rv": (1,), "all": (1, 2, 3)}
# Structures whose mean a name stands for.
_PLACES = {"mean5": range(5), "mean3": (0, 1, 3), **{name: (place,) for place, name in enumerate(STRUCTURES)}}
_PERCENTILE = 95.0


class StructureOverlap(NamedTuple):
    """Agreement of the five structures, in the order of :data:`STRUCTURES`.

    Attributes:
        dice: in [0, 1], in three dimensions and not by slices, ``(5,)``; NaN where neither heart has the structure, 0
            where one has it.
        hd95: 95th percentile of the distances between the surfaces, the larger of both directions, mm, ``(5,)``; NaN
            where not both hearts have the structure.
        assd: mean of the distances between the surfaces, of both directions, mm, ``(5,)``; NaN as before.
        mean5: mean Dice of the structures that are no NaN, in [0, 1], a scalar; "Overall" of the paper.
        mean3: the same of the cavities and the myocardium, a scalar.
        empty: how many structures neither heart has, a scalar.
    """

    dice: Tensor
    hd95: Tensor
    assd: Tensor
    mean5: Tensor
    mean3: Tensor
    empty: Tensor


def structure_overlap(prediction: Tensor, truth: Tensor, affine: ArrayLike | Tensor) -> StructureOverlap:
    """Compare two label images.

    Args:
        prediction, truth: 0 background, 1 cavity of the right ventricle, 2 myocardium, 3 cavity of the left one,
            ``(I, J, K)`` or ``(1, I, J, K)``.
        affine: of their grid, voxel indices to mm, ``(4, 4)``; its edges are the spacing.

    Returns:
        Dice's coefficients and distances of the five structures.

    Raises:
        ConfigError: the shapes differ, or a label is no whole number from 0 to 3.
        GeometryError: the affine does not place the grid in space.

    Reference:
        Qin, Li, MICCAI 2023 (the five structures and their mean).
    """
    one, two = _structures(prediction, truth)
    dice = _dice(one, two)
    hd95, assd = _distances(one, two, require_affine(affine))
    five, three = (dice[list(_PLACES[name])].nanmean() for name in ("mean5", "mean3"))
    return StructureOverlap(dice, hd95, assd, five, three, empty=dice.isnan().sum())


class StructureOverlapMetric(CumulativeIterationMetric):
    """Mean over hearts of a Dice's coefficient of :func:`structure_overlap`, in [0, 1].

    Args:
        name: "mean5", "mean3", or one of "lv", "myo", "epi", "rv", "all".

    Shape:
        labels and true labels ``(B, 1, I, J, K)``, or lists of them without B. A call returns ``(B, 1)``; NaN where
        neither heart has the structure, which the mean leaves out.
    """

    def __init__(self, name: str = "mean5") -> None:
        super().__init__()
        self.name = look_up_option(name, tuple(_PLACES))

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:
        if y is None:
            raise ValueError("need labels and the true ones, got labels alone.")
        rows = [_dice(*_structures(*pair))[list(_PLACES[self.name])].nanmean() for pair in zip(y_pred, y, strict=True)]
        return torch.stack(rows)[:, None]

    def aggregate(self) -> Tensor:
        """Mean over all hearts so far, in [0, 1], a scalar."""
        return self.get_buffer().nanmean()


def _structures(prediction: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Masks of the five structures, twice ``(1, 5, I, J, K)``."""
    pair = [torch.as_tensor(labels).detach().as_subclass(Tensor) for labels in (prediction, truth)]
    pair = [labels[0] if labels.ndim == 4 and len(labels) == 1 else labels for labels in pair]  # noqa: PLR2004
    if pair[0].ndim != 3 or pair[0].shape != pair[1].shape:  # noqa: PLR2004
        raise ConfigError(
            "both labels must lie on one grid",
            found=" and ".join(str(tuple(labels.shape)) for labels in pair),
            expected="twice (I, J, K)",
        )
    known = torch.arange(4, device=pair[0].device)
    for labels in pair:
        if not torch.isin(labels, known.to(labels)).all():
            raise ConfigError(
                "unknown labels of the heart",
                found=", ".join(f"{value:g}" for value in labels.unique().tolist()[:8]),
                expected="0 background, 1 right cavity, 2 myocardium, 3 left cavity",
                remedy="set labels to the numbers of your data when it is read; warp labels by nearest voxels",
            )
    first, second = (
        torch.stack([torch.isin(labels, labels.new_tensor(numbers)) for numbers in STRUCTURES.values()])[None].float()
        for labels in pair
    )
    return first, second


def _dice(one: Tensor, two: Tensor) -> Tensor:
    dice = compute_dice(one, two, ignore_empty=False)[0].double()
    dice[~(one + two)[0].flatten(1).any(1)] = torch.nan
    return dice


def _distances(one: Tensor, two: Tensor, affine: Any) -> tuple[Tensor, Tensor]:
    both = one[0].flatten(1).any(1) & two[0].flatten(1).any(1)
    spacing = torch.from_numpy(affine[:3, :3]).norm(dim=0).tolist()
    hd95, assd = torch.full((2, len(STRUCTURES)), torch.nan, dtype=torch.float64, device=one.device)
    # MONAI warns of structures that are missing, and gives infinity.
    if not both.any():
        return hd95, assd
    pair: dict[str, Any] = {"y_pred": one[:, both], "y": two[:, both], "include_background": True}
    with warnings.catch_warnings():
        # What MONAI's functions say of each other's arguments.
        warnings.filterwarnings("ignore", "monai.metrics.utils get_mask_edges", FutureWarning)
        hd95[both] = compute_hausdorff_distance(**pair, percentile=_PERCENTILE, spacing=spacing)[0].double()
        assd[both] = compute_average_surface_distance(**pair, symmetric=True, spacing=spacing)[0].double()
    return hd95, assd
