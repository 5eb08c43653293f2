"""What random changes of maps on a sphere have in common."""

from __future__ import annotations

from abc import ABC
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

__all__ = ["SharedDraw"]


class SharedDraw(RandomizableTransform, MapTransform, ABC):
    """A random transform of maps on icospheres for dictionaries: one draw for all keys, also of different levels.

    Args:
        transform: its call takes ``randomize=False`` to repeat the last draw.
        keys: of the maps ``(C, V)``.
        allow_missing_keys: skip items without a key.
    """

    def __init__(self, transform: Any, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, transform.prob)
        self.transform = transform

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> SharedDraw:
        """Seed the draws; returns the transform itself."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        self.transform.randomize()
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key], randomize=False)
        return result
