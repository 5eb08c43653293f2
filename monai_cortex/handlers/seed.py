"""Seeds: the same run twice, and a resumed run like one that was never interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from monai.utils import MAX_SEED, set_determinism

from monai_cortex.handlers.error_messages import plain_errors
from monai_cortex.handlers.seeded_passes import SeededPasses

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
    """Derive all random numbers of an epoch from (seed, epoch), so that resuming repeats them exactly.

    Each epoch begins the data anew, in an order of its own: where an epoch is shorter than the data, it sees a random
    part of them. A run that resumes within an epoch loads the batches that were seen already once more, unused.

    Bitwise on a CPU, for any number of data workers unless they are persistent: those keep their state.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._loader: Any = None
        self._first = True

    def attach(self, engine: Engine) -> None:
        """Seed at the start of each epoch, before the data loader is asked for its first batch."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def _begin(self, engine: Engine) -> None:
        self._loader, self._first = engine.state.dataloader, True

    def __call__(self, engine: Engine) -> None:
        seed = (self.seed + _STRIDE * engine.state.epoch) % MAX_SEED
        set_determinism(seed)
        if self._loader is None:  # an engine without data
            return
        # Worker processes seed themselves from torch; transforms that run in this process do not.
        set_rnd(getattr(self._loader, "dataset", None), seed)
        if not self._first:
            engine.set_data(SeededPasses(self._loader, seed))
            return
        self._first = False
        state: Mapping[str, Any] | None = getattr(engine.state, "random_state", None)
        seen = engine.state.iteration % engine.state.epoch_length if state and engine.state.epoch_length else 0
        # Not set_data: the engine itself begins its first epoch, at the iteration that it resumes from.
        engine.state.dataloader = SeededPasses(self._loader, seed, seen, state)
        engine.state.random_state = None  # type: ignore[attr-defined]
