"""Super-resolution training: the network sees few directions, the loss all of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.direction_subset import spread_subset

__all__ = ["InputDirections", "InputDirectionsD", "InputDirectionsDict", "InputDirectionsd"]


class InputDirections(Transform):
    """Choose the volumes that the network sees: those at b = 0, and evenly spread ones of each shell.

    Args:
        number: directions of each shell; None or more than there are takes all.

    Raises:
        ConfigError: for less than one direction.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819 (super-resolution training).
    """

    def __init__(self, number: int | None = None) -> None:
        if number is not None and number < 1:
            raise ConfigError(
                "the network needs directions",
                found=f"input_directions {number}",
                expected="1 or more, or null for all",
            )
        self.number = number

    def __call__(self, directions: Tensor, shell: Tensor) -> Tensor:
        """Return indices of volumes in ascending order, int64 ``(M,)``.

        Args:
            directions: unit vectors ``(N, 3)``.
            shell: number of each volume's shell ``(N,)``, 0 for b = 0.
        """
        chosen = [(shell == 0).nonzero()[:, 0]]
        for k in range(1, int(shell.max()) + 1):
            here = (shell == k).nonzero()[:, 0]
            chosen.append(here[spread_subset(directions[here], len(here) if self.number is None else self.number)])
        return torch.cat(chosen).sort().values


class InputDirectionsd(MapTransform):
    """Dictionary version of :class:`InputDirections`: reads ``directions`` and ``shell``, adds ``inputs`` ``(M,)``.

    Args:
        keys: the key of the directions ``(N, 3)``, normally ``directions``.
        number: directions of each shell; None takes all.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self, keys: KeysCollection = "directions", number: int | None = None, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = InputDirections(number)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result["inputs"] = self.transform(data[key], data["shell"])
        return result


InputDirectionsD = InputDirectionsDict = InputDirectionsd
