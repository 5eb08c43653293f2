"""Agreement of the images that a registration network aligns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_cortex.geometry.displacement import warp

__all__ = ["WarpedAgreement", "image_correlation"]


def image_correlation(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Correlation coefficient of two images over a mask.

    Args:
        first, second: ``(B, 1, I, J, K)``.
        mask: 0 or 1, of the same shape.

    Returns:
        In [-1, 1], ``(B,)``; 0 where an image is constant.
    """
    inside = mask.double()
    count = inside.flatten(1).sum(1).clamp(min=1)

    def centered(image: Tensor) -> Tensor:
        mean = (image * inside).flatten(1).sum(1) / count
        return ((image - mean.view(-1, 1, 1, 1, 1)) * inside).flatten(1)

    one, two = centered(first.double()), centered(second.double())
    scale = (one.square().sum(1) * two.square().sum(1)).sqrt()
    return (one * two).sum(1) / scale.clamp(min=torch.finfo(torch.float64).tiny)


class WarpedAgreement(CumulativeIterationMetric):
    """Mean over pairs of the correlation of fixed and warped image where both are image, in [-1, 1]; needs no labels.

    Shape:
        what ``FSDiffRegNet`` returns for a batch, and the target of ``ImagePairBatch``.
    """

    def __call__(self, y_pred: Any, y: Any = None, **options: Any) -> Any:
        # MONAI counts a dictionary as neither a tensor nor a list.
        pair = ([y_pred], [y]) if isinstance(y_pred, Mapping) else (y_pred, y)
        return super().__call__(*pair, **options)

    def _compute_tensor(self, y_pred: Tensor, y: Any = None, **_: Any) -> Tensor:
        raise ValueError("need the dictionary that a registration network returns, got a tensor.")

    def _compute_list(self, y_pred: Any, y: Any = None, **_: Any) -> Any:
        pairs = zip(y_pred, y, strict=True)
        rows = [image_correlation(warp(to["moving"], found["ddf"]), to["fixed"], to["valid"]) for found, to in pairs]
        return torch.cat(rows)[:, None]

    def aggregate(self) -> Tensor:
        """Mean over all pairs so far, a scalar."""
        return self.get_buffer().mean()
