"""Put the intensities of a brain image on the scale of the network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

__all__ = ["ScaleToBrain", "ScaleToBrainD", "ScaleToBrainDict", "ScaleToBraind"]

_NEAR = 5.0  # mm around the pial surface, where the darkest is looked for


class ScaleToBrain(Transform):
    """Map robust extremes of the brain to -1 and 1, and clip; an image without contrast, a mere grid, becomes 0.

    Args:
        percentiles: the first of what lies within 5 mm of the pial surface or inside, the second of what lies inside.
    """

    def __init__(self, percentiles: Sequence[float] = (0.5, 99.5)) -> None:
        self.percentiles = tuple(percentiles)

    def __call__(self, image: Tensor, pial_distance: Tensor) -> tuple[Tensor, tuple[float, float]]:
        """Return the scaled image ``(1, I, J, K)``, and the intensities that became -1 and 1.

        Args:
            image: ``(1, I, J, K)``.
            pial_distance: signed distance from the pial surface in mm, of the same shape.
        """
        values, distance = np.asarray(image, np.float32), np.asarray(pial_distance)
        near, inside = values[distance < _NEAR], values[distance < 0]
        low = float(np.percentile(near, self.percentiles[0])) if near.size else 0.0
        high = float(np.percentile(inside, self.percentiles[1])) if inside.size else low
        if not high > low:
            # A mere grid has no contrast to scale.
            return torch.zeros_like(image), (0.0, 1.0)
        return ((image - low) * (2 / (high - low)) - 1).clamp(-1, 1), (low, high)


class ScaleToBraind(MapTransform):
    """Dictionary version of :class:`ScaleToBrain`; adds ``intensity_range``, the intensities that became -1 and 1.

    Args:
        keys: of the image.
        distance_key: of the signed distance from the pial surface.
        percentiles: see :class:`ScaleToBrain`.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        distance_key: str = "pial_distance",
        percentiles: Sequence[float] = (0.5, 99.5),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform, self.distance_key = ScaleToBrain(percentiles), distance_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key], result["intensity_range"] = self.transform(data[key], data[self.distance_key])
        return result


ScaleToBrainD = ScaleToBrainDict = ScaleToBraind
