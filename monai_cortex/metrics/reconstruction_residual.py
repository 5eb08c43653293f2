"""Misfit between a measured diffusion signal and the one its orientations predict."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

__all__ = ["ReconstructionResidual", "reconstruction_residual"]


def reconstruction_residual(prediction: Tensor, dwi: Tensor, design: Tensor, mask: Tensor) -> Tensor:
    """Root mean square misfit over volumes and voxels, in percent of white matter's signal at b = 0, a scalar.

    Args:
        prediction: coefficients ``(n + isotropic, I, J, K)``.
        dwi: normalized signal ``(N, I, J, K)``, dimensionless: 1 is white matter at b = 0.
        design: matrix from coefficients to signal ``(N, n + isotropic)``.
        mask: voxels to count, ``(1, I, J, K)``.
    """
    inside = mask[0] > 0
    return 100 * (design.to(prediction) @ prediction[:, inside] - dwi[:, inside]).square().mean().sqrt()


class ReconstructionResidual(CumulativeIterationMetric):
    """Mean of :func:`reconstruction_residual` over subjects, in percent.

    Shape:
        list of predictions ``(n + isotropic, I, J, K)`` and list of targets with ``dwi``, ``design`` and ``mask``, one
        for each subject, as MONAI's evaluators leave them after decollating.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Any = None, **_: Any) -> Tensor:
        # MONAI hands a metric no other target of a batch than a tensor.
        raise ValueError("need lists, one prediction and one target a subject, got a batch; decollate it first.")

    def _compute_list(self, y_pred: Any, y: Any = None, **_: Any) -> Any:
        pairs = zip(y_pred, y, strict=True)
        rows = [reconstruction_residual(p, t["dwi"], t["design"], t["mask"]) for p, t in pairs]
        return torch.stack(rows)[:, None]

    def aggregate(self) -> Tensor:
        """Mean over all subjects so far, percent, a scalar."""
        return self.get_buffer().mean()
