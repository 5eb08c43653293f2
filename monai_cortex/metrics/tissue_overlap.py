"""Whether an image shows each tissue where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from monai.metrics.meandice import compute_dice
from torch import Tensor
from torch.nn.functional import one_hot

from monai_cortex.errors import ConfigError

__all__ = ["TissueOverlap", "nearest_tissue", "tissue_overlap"]


class TissueOverlap(NamedTuple):
    """Overlap of C tissues.

    Attributes:
        dice: of each tissue, in [0, 1], ``(C,)``; NaN for one that the truth does not have.
        mean: over the tissues that the truth has, in [0, 1], a scalar.
        labels: tissue that the image shows at each voxel, ``(I, J, K)`` int64.
    """

    dice: Tensor
    mean: Tensor
    labels: Tensor


def nearest_tissue(image: Tensor, means: Sequence[float]) -> Tensor:
    """Tissue whose mean is nearest to each voxel's value, the first of two, ``(I, J, K)`` int64.

    Args:
        image: ``(I, J, K)``.
        means: of the C tissues, in the unit of the image, float.

    Raises:
        ConfigError: a mean is not finite, or there are less than two.
    """
    centers = torch.tensor(list(means), dtype=torch.float64)
    if len(centers) < 2 or not centers.isfinite().all():  # noqa: PLR2004
        raise ConfigError("tissues cannot be told apart", found=list(means), expected="two or more finite means")
    values = image.detach().as_subclass(Tensor).double()
    return torch.stack([(values - center).abs() for center in centers]).argmin(0)


def tissue_overlap(image: Tensor, truth: Tensor, means: Sequence[float], mask: Tensor | None = None) -> TissueOverlap:
    """Dice's coefficient of tissues told by the nearest mean.

    Args:
        image: ``(I, J, K)``.
        truth: number of the tissue at each voxel, in the order of the means, ``(I, J, K)``: from the surfaces, or
            :func:`nearest_tissue` of the true image.
        means: of the C tissues, in the unit of the image, float.
        mask: voxels to count, true or above 0, ``(I, J, K)``; None are all.

    Raises:
        ConfigError: the shapes differ, or the truth names other tissues.
    """
    labels = nearest_tissue(image, means)
    inside = torch.ones_like(labels, dtype=torch.bool) if mask is None else mask > 0
    if not labels.shape == truth.shape == inside.shape:
        raise ConfigError(
            "image, truth and mask must lie on one grid",
            found=", ".join(str(tuple(part.shape)) for part in (labels, truth, inside)),
            expected="three times (I, J, K)",
        )
    numbers = truth[inside].long()
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(means):
        raise ConfigError(
            "the truth names tissues without a mean",
            found=f"{int(numbers.min())} to {int(numbers.max())}",
            expected=f"0 to {len(means) - 1}",
        )
    one, two = (one_hot(part, len(means)).T[None] for part in (labels[inside], numbers))
    dice = compute_dice(one, two)[0]
    return TissueOverlap(dice, dice.nanmean(), labels)
