"""Agreement of the maps that a registration network aligns."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_cortex.geometry.icosphere import icosphere, icosphere_level
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.metrics.sphere_agreement import sphere_agreement

__all__ = ["RegistrationAgreement"]


class RegistrationAgreement(CumulativeIterationMetric):
    """Mean over pairs and features of the normalized cross-correlation after the last pass, in [-1, 1].

    Shape:
        result of ``ScoreGuidedRegistration`` for a batch of pairs.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Any = None, **_: Any) -> Tensor:
        raise ValueError("need the result of ScoreGuidedRegistration, got a tensor.")

    def _compute_list(self, y_pred: Any, y: Any = None, **_: Any) -> Any:  # noqa: ARG002  MONAI's signature
        last = y_pred.steps[-1]
        mesh = icosphere(icosphere_level(last.read.shape[-1]))
        areas = vertex_areas(mesh)
        rows = [
            sphere_agreement(read.cpu(), moving.cpu(), areas).ncc.mean()
            for read, moving in zip(last.read, last.moving, strict=True)
        ]
        return torch.stack(rows)[:, None]

    def aggregate(self) -> Tensor:
        """Mean over all pairs so far, a scalar."""
        return self.get_buffer().mean()
