"""Least-squares adversarial losses of Pix2Pix, as MONAI's adversarial trainer calls them."""

from __future__ import annotations

from typing import Any

import torch
from monai.losses import PatchAdversarialLoss
from torch import Tensor, nn

__all__ = ["DiscriminatorLoss", "GeneratorLoss"]


class GeneratorLoss(nn.Module):
    """How little the discriminator takes generated images for real ones.

    Args:
        weight: beside a reconstruction loss of weight 1; Pix2Pix has 1 beside 100.

    Shape:
        scores ``(B, 1, i, j, k)`` of patches to a scalar.

    Reference:
        Isola et al., CVPR 2017, arXiv:1611.07004; Mao et al., ICCV 2017, arXiv:1611.04076 (least squares).
    """

    def __init__(self, weight: float = 0.01) -> None:
        super().__init__()
        self.weight, self.loss = weight, _least_squares()

    def forward(self, fake: Tensor) -> Tensor:
        """Loss of the scores of generated images."""
        return self.weight * _loss(self.loss, fake, real=True, discriminator=False)


class DiscriminatorLoss(nn.Module):
    """How badly the discriminator tells real from generated images; shape and reference of :class:`GeneratorLoss`."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = _least_squares()

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean loss of the scores of real and of generated images."""
        sides = ((real, True), (fake, False))
        return torch.stack([_loss(self.loss, scores, real=kind, discriminator=True) for scores, kind in sides]).mean()


def _least_squares() -> PatchAdversarialLoss:
    # MONAI would squash negative scores first, which the paper does not: there, they would hardly count as wrong.
    return PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)


def _loss(loss: Any, scores: Tensor, *, real: bool, discriminator: bool) -> Tensor:
    result: Tensor = loss(scores, target_is_real=real, for_discriminator=discriminator)
    return result
