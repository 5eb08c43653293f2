"""Batches for training that do not depend on how many processes train, nor on how many load the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any, NamedTuple, Protocol

import torch
from monai.data import DataLoader
from monai.data.utils import set_rnd
from monai.utils import MAX_SEED
from torch.utils.data import Dataset

from monai_cortex.data.processes import process_rank

__all__ = ["TrainingLoader"]


class TrainingLoader(DataLoader):
    """Shuffled batches, all of the same size, in the order that torch's random numbers say.

    A pass goes through the data once, in a new order; its last batch is filled up from its beginning. Of W processes
    each one gets its b rows of a batch of W b items: together they see what one process with a batch size of W b sees.
    An item's random transforms are seeded by its place in the order, whoever loads it.

    Args:
        dataset: with a length; the random numbers of its transforms, and of those of the dataset that it is made of,
            come from ``set_random_state``.
        batch_size: items of a batch in each process, at least 1.
        num_workers: processes that load data; 0 loads in this one.
        options: of MONAI's ``DataLoader``.
    """

    def __init__(self, dataset: _Items, batch_size: int = 1, num_workers: int = 0, **options: Any) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size counts items and must be at least 1, got {batch_size}.")
        batches = _SharedBatches(dataset, batch_size)
        super().__init__(_SeededItems(dataset), num_workers, batch_sampler=batches, **options)


class _Items(Sized, Protocol):
    def __getitem__(self, index: int, /) -> Any: ...


class _Place(NamedTuple):
    """Where an item comes from, and the seed of what is done to it there."""

    item: int
    seed: int


class _SeededItems(Dataset[Any]):
    def __init__(self, dataset: _Items) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: _Place) -> Any:
        for transform in _transforms(self.dataset):
            set_rnd(transform, place.seed)
        return self.dataset[place.item]


def _transforms(dataset: Any) -> Iterator[Any]:
    """Of a dataset and, where its data are another dataset, of that."""
    while hasattr(dataset, "transform"):
        yield dataset.transform
        dataset = getattr(dataset, "data", None)


class _SharedBatches:
    def __init__(self, dataset: Sized, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size

    def __len__(self) -> int:
        _, number = process_rank()
        return math.ceil(len(self.dataset) / (self.batch_size * number))

    def __iter__(self) -> Iterator[list[_Place]]:
        rank, number = process_rank()
        # One draw whatever the size, as torch's own samplers take it: all processes go on with equal generators.
        generator = torch.Generator().manual_seed(int(torch.empty((), dtype=torch.int64).random_()))
        order = torch.randperm(len(self.dataset), generator=generator).tolist()
        size = self.batch_size * number
        seeds = torch.randint(MAX_SEED, (len(self) * size,), generator=generator).tolist()
        places = [_Place(order[i % len(order)], seed) for i, seed in enumerate(seeds)]
        for start in range(rank * self.batch_size, len(places), size):
            yield places[start : start + self.batch_size]
