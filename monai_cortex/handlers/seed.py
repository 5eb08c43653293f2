"""Seeds: the same run twice, and a resumed run like one that was never interrupted."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from monai.utils import MAX_SEED, set_determinism

from monai_cortex.handlers.error_messages import plain_errors

__all__ = ["SeedEpochs", "seed_everything", "start_session"]

_STRIDE = 1_000_003  # prime: neighboring seeds do not meet in later epochs


def seed_everything(seed: int) -> int:
    """Seed Python, numpy, torch and MONAI, and let torch take its deterministic algorithms.

    Where an operation has none (some on GPUs), torch warns and goes on.

    Args:
        seed: taken modulo 2^32.

    Returns:
        The seed.
    """
    set_determinism(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    return seed


def start_session(seed: int) -> int:
    """What every bundle does first: short error messages, and the seed; see `plain_errors` and `seed_everything`."""
    plain_errors()
    return seed_everything(seed)


class SeedEpochs:
    """Derive all random numbers of an epoch from (seed, epoch), so that resuming at an epoch repeats them exactly.

    Bitwise on a CPU, for any number of data workers unless they are persistent: those keep their state.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Seed at the start of each epoch, before the data loader is asked for its first batch."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        seed = (self.seed + _STRIDE * engine.state.epoch) % MAX_SEED
        set_determinism(seed)
        # Worker processes seed themselves from torch; transforms that run in this process do not.
        loader = getattr(engine, "data_loader", None) or engine.state.dataloader
        set_rnd(getattr(loader, "dataset", None), seed)
