"""Joint loss of a score network and of the deformation network that it guides."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.losses.score_matching import ScoreMatchingLoss
from monai_cortex.losses.sphere_registration import SphereRegistrationLoss

__all__ = ["GuidedRegistrationLoss"]

_EARLIER = 0.5  # weight of each pass before the last, relative to the next


class GuidedRegistrationLoss(nn.Module):
    """Misfit and distortion of all passes, the last one counting most, plus score matching.

    Args:
        level: of the icosphere whose vertices move.
        score: weight of score matching.
        weights: of :class:`SphereRegistrationLoss`.

    Shape:
        result of ``ScoreGuidedRegistration`` in training; scalar.

    Attributes:
        latest: unweighted terms of the last call, of the last pass.

    Reference:
        Lee, Pyatkovskiy, Yoo, Lyu, MICCAI 2025 (joint training); the weights are this project's.
    """

    def __init__(self, level: int = 4, score: float = 1.0, **weights: float) -> None:
        super().__init__()
        self.score, self.matching = score, ScoreMatchingLoss()
        self.registration = SphereRegistrationLoss(icosphere(level), **weights)
        self.latest: dict[str, Tensor] = {}

    def forward(self, found: Any, _: object = None) -> Tensor:
        """The loss of what the networks found."""
        result = self.score * self.matching(found.prediction, found.target)
        self.latest = {"score": result.detach() / self.score} if self.score else {}
        last = len(found.steps) - 1
        for number, step in enumerate(found.steps):
            terms = self.registration.terms(step.read, step.moving, step.moved, step.field)
            result = result + _EARLIER ** (last - number) * self.registration.weigh(terms, found.stiffness)
        self.latest |= {name: torch.mean(value.detach()) for name, value in terms._asdict().items()}
        return result
