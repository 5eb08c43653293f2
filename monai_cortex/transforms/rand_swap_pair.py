"""Exchange the fixed and the moving image at random."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils.misc import ensure_tuple

__all__ = ["RandSwapPair", "RandSwapPairD", "RandSwapPairDict", "RandSwapPaird"]

_FIXED = ("fixed_image", "fixed_label", "true_displacement")
_MOVING = ("moving_image", "moving_label", "true_inverse")
_DIRECTIONS = {"ed2es": "es2ed", "es2ed": "ed2es"}


class RandSwapPair(RandomizableTransform):
    """Exchange two things.

    Args:
        prob: probability of an exchange.
    """

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(prob)

    def __call__(self, first: Any, second: Any, randomize: bool = True) -> tuple[Any, Any]:
        """Return both, in this order or in the other.

        Args:
            first, second: anything.
            randomize: False repeats the last draw.
        """
        if randomize:
            self.randomize(None)
        return (second, first) if self._do_transform else (first, second)


class RandSwapPaird(RandomizableTransform, MapTransform):
    """Dictionary version of :class:`RandSwapPair`: images, labels, and the true displacement with its inverse.

    An item that has only one of two is left as it is, since what belongs to the exchanged images is not known.
    ``direction`` is exchanged too, where it names the heart's phases.

    Args:
        keys: of what belongs to the fixed image.
        partner_keys: of what belongs to the moving one, in the same order.
        prob: probability of an exchange.
        allow_missing_keys: exchange what is there of the keys.
    """

    def __init__(
        self,
        keys: KeysCollection = _FIXED,
        partner_keys: KeysCollection = _MOVING,
        prob: float = 0.5,
        allow_missing_keys: bool = True,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.partner_keys = ensure_tuple(partner_keys)
        self.transform = RandSwapPair(prob)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandSwapPaird:
        """Seed the draws; returns the transform itself."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        self.transform.randomize(None)
        there = list(self.key_iterator(data, self.partner_keys))
        half = any(
            (first in data) != (second in data) for first, second in zip(self.keys, self.partner_keys, strict=True)
        )
        if half or not self.transform._do_transform:
            return result
        for first, second in there:
            result[first], result[second] = self.transform(data[first], data[second], randomize=False)
        if "direction" in data:
            result["direction"] = _DIRECTIONS.get(data["direction"], data["direction"])
        return result


RandSwapPairD = RandSwapPairDict = RandSwapPaird
