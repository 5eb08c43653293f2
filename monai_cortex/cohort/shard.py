"""Which subjects of a cohort a process is to do: a stable share, whatever else is in the data set."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from monai_cortex.errors import ConfigError

__all__ = ["Shard", "parse_shard", "slurm_shard"]

_SLURM = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
_FIRST, _LAST = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX"


@dataclass(frozen=True)
class Shard:
    """One of ``count`` shares, ``index`` from 1 to ``count``."""

    index: int = 1
    count: int = 1

    def holds(self, subject: str) -> bool:
        """Whether a subject belongs to this share: by a hash of its name alone, the same on every machine."""
        number = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big")
        return number % self.count == self.index % self.count

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Read ``i/n``, ``i`` from 1 to ``n``; 0 is another name of ``n``, for those who count from 0.

    Args:
        text: such as ``2/10``, or ``slurm`` for what the task of a Slurm array is told by its environment.
        environment: for the latter.

    Raises:
        ConfigError: the text is neither.
    """
    if text == "slurm":
        return slurm_shard(environment)
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    index, count = map(int, match.groups()) if match else (0, 0)
    if not count or index > count:
        raise ConfigError(
            "the shard cannot be used",
            found=repr(text),
            expected="i/n with i from 1 to n, or slurm",
            remedy="as in 1/4",
        )
    return Shard(index or count, count)


def slurm_shard(environment: Mapping[str, str] = os.environ) -> Shard:
    """The share of this task of a Slurm array, whatever numbers the array counts with.

    Args:
        environment: with SLURM_ARRAY_TASK_ID and _COUNT, and _MIN and _MAX where the array does not count from 1.

    Raises:
        ConfigError: the environment is not that of an array's task.
    """
    try:
        task, count = (int(environment[name]) for name in _SLURM)
        first, last = int(environment.get(_FIRST, 1)), int(environment.get(_LAST, count))
    except (KeyError, ValueError) as error:
        raise ConfigError(
            "this is no task of a Slurm array",
            found=f"no number in {' or '.join(_SLURM)}",
            expected="both, as sbatch --array sets them",
            remedy="submit with sbatch --array=1-N, or name the shard as i/n",
        ) from error
    step = max(1, (last - first) // max(count - 1, 1))
    place = (task - first) // step
    if not 0 <= place < count or first + place * step != task:
        raise ConfigError(
            "the Slurm array has no regular numbers",
            found=f"task {task} of {count}, from {first} to {last}",
            expected="an array such as 1-N or 0-N",
            remedy="submit with sbatch --array=1-N, and repeat lost tasks under their old numbers with --shard i/n",
        )
    return Shard(place + 1, count)
