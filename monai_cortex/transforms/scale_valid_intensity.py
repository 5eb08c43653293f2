"""Put the intensities of an image on the scale of a registration network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

__all__ = ["ScaleValidIntensity", "ScaleValidIntensityD", "ScaleValidIntensityDict", "ScaleValidIntensityd"]

_MODES = ("robust", "minmax")


class ScaleValidIntensity(Transform):
    """Map the range of what is image to [-1, 1] and clip; padding becomes -1.

    Args:
        mode: "robust" takes the percentiles for the range, "minmax" the extremes.
        percentiles: of the intensities.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(self, mode: str = "robust", percentiles: Sequence[float] = (0.5, 99.5)) -> None:
        if mode not in _MODES:
            raise ValueError(f'mode is "robust" or "minmax", got {mode!r}.')
        self.mode, self.percentiles = mode, tuple(percentiles) if mode == "robust" else (0.0, 100.0)

    def __call__(self, image: Tensor, valid: Tensor) -> Tensor:
        """Return the scaled image ``(1, I, J, K)`` float32; without contrast it is -1 everywhere.

        Args:
            image: ``(1, I, J, K)``.
            valid: above 0 in the image, 0 in the padding, of the same shape.
        """
        inside = np.asarray(valid) > 0
        values = np.asarray(image, np.float32)[inside]
        low, high = np.percentile(values, self.percentiles).tolist() if values.size else (0.0, 0.0)
        if not high > low:
            return image.new_full(image.shape, -1.0)
        scaled = ((image - low) * (2 / (high - low)) - 1).clamp(-1, 1)
        return scaled.masked_fill(valid.bool().logical_not(), -1.0)


class ScaleValidIntensityd(MapTransform):
    """Dictionary version of :class:`ScaleValidIntensity`; each image by its own range.

    Args:
        keys: of the images.
        valid_key: of the mask.
        mode, percentiles: see :class:`ScaleValidIntensity`.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection = ("fixed_image", "moving_image"),
        valid_key: str = "valid",
        mode: str = "robust",
        percentiles: Sequence[float] = (0.5, 99.5),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform, self.valid_key = ScaleValidIntensity(mode, percentiles), valid_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key], data[self.valid_key])
        return result


ScaleValidIntensityD = ScaleValidIntensityDict = ScaleValidIntensityd
