"""The items of a dataset that one process of several validates."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from torch.utils.data import Sampler

from monai_cortex.data.processes import process_rank

__all__ = ["OwnItems"]


class OwnItems(Sampler[int]):
    """Every W-th item for each of W processes, each item once; processes may have different numbers of them.

    With fewer items than processes some are validated twice, since every process needs one.

    Args:
        dataset: with a length above 0.
    """

    def __init__(self, dataset: Sized) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[int]:
        return iter(self._items())

    def _items(self) -> range:
        rank, number = process_rank()
        return range(rank % len(self.dataset), len(self.dataset), number)
