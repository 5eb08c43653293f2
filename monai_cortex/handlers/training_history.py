"""What a training has gone through, step by step."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer

from monai_cortex.handlers.engine_output import losses

__all__ = ["TrainingHistory"]


class TrainingHistory:
    """Keep loss, its terms and the learning rate of every step.

    A loss that has ``latest``, a mapping of names to scalars, shows its terms.

    Attributes:
        records: one mapping a step: ``step``, ``loss``, ``learning_rate`` (dimensionless) and the terms.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, float]] = []

    def attach(self, engine: Engine) -> None:
        """Record at the end of each iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: SupervisedTrainer) -> None:
        terms = getattr(engine.loss_function, "latest", {})
        self.records.append(
            {
                "step": engine.state.iteration,
                **losses(engine.state.output),
                "learning_rate": engine.optimizer.param_groups[0]["lr"],
                **{name: float(value) for name, value in terms.items()},
            }
        )
