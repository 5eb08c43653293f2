"""What every bundle begins with."""

from __future__ import annotations

from ignite.engine import Engine
from monai.engines import SupervisedTrainer

from monai_cortex.handlers.batch_loss import BatchLoss
from monai_cortex.handlers.seed import SeedEpochs, start_session

__all__ = ["Session"]


class Session:
    """Short error messages and seeds: those of the run when it is made, those of every epoch where it is attached.

    It must be made before networks and transforms are; bundles ask for it first in ``initialize``.

    Args:
        seed: of the run, an integer; taken modulo 2^32.
    """

    def __init__(self, seed: int) -> None:
        self.seed = start_session(seed)

    def attach(self, engine: Engine) -> None:
        """Seed each epoch, so that a resumed run repeats an uninterrupted one; report losses of whole batches."""
        SeedEpochs(self.seed).attach(engine)
        if isinstance(engine, SupervisedTrainer):
            BatchLoss().attach(engine)
