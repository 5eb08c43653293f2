"""An epoch's batches as a function of its seed alone, from any of them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monai.utils import MAX_SEED, set_determinism

from monai_cortex.handlers.random_state import restore_random_state

__all__ = ["SeededPasses"]

_STRIDE = 15_485_863  # prime: the passes of one epoch do not meet those of another
_END = object()


class SeededPasses:
    """Passes over a data loader within one epoch, each with a seed of its own.

    An epoch may take several passes, and the order of the data is drawn at the start of each: it must not depend on
    what training has drawn meanwhile.

    Args:
        loader: of batches.
        seed: of the epoch, below 2^32.
        seen: batches to pass over first, since an interrupted run has trained on them.
        state: of the random numbers when it had done so, see :func:`monai_cortex.handlers.random_state.random_state`.
    """

    def __init__(self, loader: Iterable[Any], seed: int, seen: int = 0, state: Mapping[str, Any] | None = None) -> None:
        self.loader, self.seed, self.seen, self.state = loader, seed, seen, state
        self._passes = 0

    def __iter__(self) -> Iterator[Any]:
        batches = self._batches()
        while self.seen:
            if next(batches, _END) is _END:
                batches = self._batches()
                if next(batches, _END) is _END:  # no data any more
                    return
            self.seen -= 1
        if self.state is not None:
            restore_random_state(self.state)
            self.state = None
        yield from batches

    def _batches(self) -> Iterator[Any]:
        set_determinism((self.seed + _STRIDE * self._passes) % MAX_SEED)
        self._passes += 1
        yield from self.loader
