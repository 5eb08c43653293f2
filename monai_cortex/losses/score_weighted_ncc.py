"""Local normalized cross correlation, each voxel weighted by a diffusion score."""

from __future__ import annotations

import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from torch import Tensor, nn

__all__ = ["ScoreWeightedNCCLoss"]

# Least variance that counts, as a sum over the window: of single precision less is rounding, which would pass for
# correlation in flat regions. The product of two is the 1e-5 that the published network adds.
_LEAST = 1e-5**0.5


class ScoreWeightedNCCLoss(nn.Module):
    r"""Negative mean of :math:`\sigma(S)^\gamma\,\mathrm{cc}`, cc the squared correlation in a window (Eq. 4).

    Where the score is not detached, as published, its network can lower the loss by a higher score everywhere; and the
    mean weight, one half to the power gamma at a score of 0, acts as a factor on the similarity's own weight. Beyond
    the mask both images are 0, as windows take them to be beyond the grid.

    Args:
        kernel_size: edge of the window in voxels, odd.
        gamma: exponent; 0 is the plain correlation.
        detach: keep the registration's gradient from the score.
        normalize_mean: divide each pair's weights by their mean over its mask, so that only their places matter.

    Shape:
        warped and fixed images ``(B, 1, I, J, K)`` in [0, 1], score of the same shape, mask of the same shape, 0 or 1,
        None being 1 everywhere; result: scalar in [-1, 0], the mean over the pairs.

    Reference:
        Qin and Li, MICCAI 2023, Eq. 4; detaching and the mean are this project's.
    """

    def __init__(
        self, kernel_size: int = 9, gamma: float = 1.0, detach: bool = False, normalize_mean: bool = False
    ) -> None:
        super().__init__()
        self.gamma, self.detach, self.normalize_mean = gamma, detach, normalize_mean
        self.correlation = LocalNormalizedCrossCorrelationLoss(3, kernel_size, reduction="none", smooth_dr=_LEAST)

    def forward(self, warped: Tensor, fixed: Tensor, score: Tensor | None, mask: Tensor | None = None) -> Tensor:
        """The weighted mean; without a score all weights are 1."""
        inside = torch.ones_like(fixed) if mask is None else mask.to(fixed)
        count = _total(inside).clamp(min=1)
        weight = inside if score is None else self._weight(score) * inside
        if self.normalize_mean:
            weight = weight * (count / _total(weight).clamp(min=_LEAST))
        negative = self.correlation(warped * inside, fixed * inside)
        result: Tensor = (_total(weight * negative) / count).mean()
        return result

    def _weight(self, score: Tensor) -> Tensor:
        return torch.sigmoid(score.detach() if self.detach else score) ** self.gamma


def _total(values: Tensor) -> Tensor:
    """Sum over the voxels of each pair, ``(B, 1, 1, 1, 1)``."""
    return values.sum((1, 2, 3, 4), keepdim=True)
