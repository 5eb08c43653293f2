"""A limit to the length of one training step's gradient."""

from __future__ import annotations

import math

from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from torch import nn
from torch.nn.utils import clip_grad_norm_

__all__ = ["GradientClipping"]


class GradientClipping:
    """Shorten the gradient of all weights together to a largest norm, before the optimizer sees it.

    Args:
        network: whose weights are trained.
        max_norm: largest Euclidean norm; infinity clips nothing.

    Raises:
        ValueError: the norm is not above 0.
    """

    def __init__(self, network: nn.Module, max_norm: float = 10.0) -> None:
        if not max_norm > 0:
            raise ValueError(f"max_norm must be above 0, got {max_norm}.")
        self.network, self.max_norm = network, max_norm

    def attach(self, engine: Engine) -> None:
        """Act after each backward pass."""
        if math.isfinite(self.max_norm):
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, _: Engine) -> None:
        clip_grad_norm_(self.network.parameters(), self.max_norm)
