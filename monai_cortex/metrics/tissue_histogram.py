"""How far the intensities of each tissue are from those of another image: whether two scanners look alike."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from monai_cortex.errors import ConfigError

__all__ = ["TissueHistogram", "tissue_histogram"]


class TissueHistogram(NamedTuple):
    """Intensities of C tissues in two images.

    Attributes:
        distance: Wasserstein's between the distributions, in the unit of the images, ``(C,)``; NaN for a tissue that
            either image lacks.
        shift: median of the first image less that of the second, in the unit of the images, ``(C,)``.
    """

    distance: Tensor
    shift: Tensor


def tissue_histogram(
    image: Tensor, reference: Tensor, tissues: Tensor, reference_tissues: Tensor | None = None
) -> TissueHistogram:
    """Compare the distributions of intensities within each tissue.

    Args:
        image: ``(I, J, K)``.
        reference: of the scanner that it should look like, ``(L, M, N)``; it may show another person.
        tissues: masks of the image, true or above 0, ``(C, I, J, K)``.
        reference_tissues: masks of the reference, ``(C, L, M, N)``; None are the same.

    Returns:
        Earth mover's distance of order 1 of each tissue, and the shift of its median.

    Raises:
        ConfigError: masks and images do not fit.
    """
    masks = (tissues, tissues if reference_tissues is None else reference_tissues)
    images = [part.detach().as_subclass(Tensor).double().cpu() for part in (image, reference)]
    if any(m.shape[1:] != i.shape for m, i in zip(masks, images, strict=True)) or len(masks[0]) != len(masks[1]):
        raise ConfigError(
            "tissues and images do not fit",
            found=", ".join(str(tuple(part.shape)) for part in (*images, *masks)),
            expected="(I, J, K), (L, M, N), (C, I, J, K) and (C, L, M, N)",
        )
    rows = [[values[mask.cpu() > 0] for mask in part] for values, part in zip(images, masks, strict=True)]
    distances = [_distance(one, two) for one, two in zip(*rows, strict=True)]
    one, two = (torch.stack([values.nanmedian() for values in part]) for part in rows)
    return TissueHistogram(torch.tensor(distances, dtype=torch.float64), one - two)


def _distance(first: Tensor, second: Tensor) -> float:
    if not len(first) or not len(second):
        return float("nan")
    return float(wasserstein_distance(first.numpy(), second.numpy()))
