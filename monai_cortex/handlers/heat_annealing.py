"""Maps that are smooth at first and sharp at last: a way from coarse to fine."""

from __future__ import annotations

from ignite.engine import Engine, Events
from torch import nn

from monai_cortex.handlers.weights import bare_network

__all__ = ["HeatAnnealing"]

_SHARE = 0.75  # of the training, after which maps are sharp


class HeatAnnealing:
    """Let the time of the heat flow that smooths a network's maps in its loss fall to 0, as a parabola.

    Args:
        network: with an attribute ``heat``, such as ``ScoreGuidedRegistration``, or a wrapper of one.
        heat: time at the first step, 0 or more; degree l keeps exp(-l(l+1) heat) of itself.
    """

    def __init__(self, network: nn.Module, heat: float = 0.05) -> None:
        self.network, self.heat = network, heat

    def attach(self, engine: Engine) -> None:
        """Set it before each iteration."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        total = (engine.state.max_epochs or 1) * (engine.state.epoch_length or 1)
        done = (engine.state.iteration - 1) / (_SHARE * total)
        bare_network(self.network).heat = self.heat * max(0.0, 1 - done) ** 2  # type: ignore[assignment]
