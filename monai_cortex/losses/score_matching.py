"""Loss of networks that predict the score of a diffusion in harmonic space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import harmonic_degrees

__all__ = ["ScoreMatchingLoss"]


class ScoreMatchingLoss(nn.Module):
    r"""Mean square of the residual, degree by degree, :math:`\frac{1}{L} \sum_{l=1}^L \frac{1}{2l+1} \sum_m r_{lm}^2`.

    Weights depend on the degree alone, so that the loss is the same for turned maps; degree 0 does not diffuse.

    Shape:
        prediction and target ``(..., (L + 1)^2)``, L at least 1; result: scalar.

    Reference:
        Ho, Jain, Abbeel, NeurIPS 2020, eq. 14, for unweighted residuals; the mean over degrees is this project's.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        degree = math.isqrt(prediction.shape[-1]) - 1
        degrees = harmonic_degrees(degree).to(prediction.device)
        weights = torch.where(degrees > 0, 1 / (degree * (2 * degrees + 1.0)), 0.0)
        square: Tensor = (prediction - target).square()
        return (square * weights.to(square)).sum(-1).mean()
