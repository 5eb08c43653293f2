"""A case: two ways to the same result, and how much of the reference's cost ours may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Case", "MissingToolError", "Pair"]


class MissingToolError(RuntimeError):
    """The reference needs a program or a package that is not installed."""


@dataclass(frozen=True)
class Pair:
    """Two computations that are timed side by side.

    Attributes:
        ours: computes the result our way.
        reference: computes it the other way.
        tolerance: bound of the largest difference relative to the largest value; None where methods differ by design.
        units: how many voxels one call of each side computes; times are compared for each voxel.
    """

    ours: Callable[[], Tensor | None]
    reference: Callable[[], Tensor | None]
    tolerance: float | None = 1e-5
    units: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Case:
    """A pair with its description and targets.

    Attributes:
        what: what is computed.
        ours: our side in a few words.
        reference: the other side in a few words.
        build: makes the pair on a device; raises MissingToolError where the reference cannot run.
        time: largest ratio of times that meets the target; None where none is set.
        memory: the same for peak memory.
        measure_memory: False where a side runs in another program or computes fewer voxels.
        repeats: largest number of repetitions, for slow cases.
    """

    what: str
    ours: str
    reference: str
    build: Callable[[torch.device], Pair]
    time: float | None = None
    memory: float | None = None
    measure_memory: bool = True
    repeats: int = 1000
