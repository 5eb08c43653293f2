"""Stop a training that has diverged, before it overwrites its last good checkpoint."""

from __future__ import annotations

import math

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from monai_cortex.errors import TrainingError
from monai_cortex.handlers.engine_output import losses, subjects

__all__ = ["StopOnNonFinite"]


class StopOnNonFinite:
    """Raise as soon as the loss is NaN or infinite.

    MONAI's trainers are stopped before the backward pass, so that the weights stay finite; other engines at the end of
    the iteration.
    """

    def attach(self, engine: Engine) -> None:
        """Check every iteration of the engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        try:
            engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self)
        except ValueError:  # an engine without this event
            return

    def __call__(self, engine: Engine) -> None:
        """Check the loss of this iteration.

        Raises:
            TrainingError: names epoch, iteration and, where the batch tells them, the subjects.
        """
        bad = {name: value for name, value in losses(engine.state.output).items() if not math.isfinite(value)}
        if bad:
            state, values = engine.state, ", ".join(f"{name} {value}" for name, value in bad.items())
            raise TrainingError(
                "training has diverged: the loss is not finite",
                subject=subjects(state.batch),
                found=f"{values} in epoch {state.epoch}, iteration {state.iteration}",
                expected="a finite number",
                remedy="check these subjects with `python -m monai_cortex check`, or lower the learning rate",
            )
