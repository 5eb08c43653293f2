"""Distances on the scale of a network's input."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.errors import ConfigError

__all__ = ["ClipScaleDistance", "ClipScaleDistanceD", "ClipScaleDistanceDict", "ClipScaleDistanced"]


class ClipScaleDistance(Transform):
    """Map a distance d in mm to clip(d / scale, -1, 1): one scale for all volumes, never each volume's own.

    Args:
        scale_mm: distance that becomes 1, positive.

    Raises:
        ConfigError: for a scale that is not positive.
    """

    def __init__(self, scale_mm: float = 5.0) -> None:
        if not scale_mm > 0:
            raise ConfigError("the scale is a distance", found=f"scale_mm {scale_mm}", expected="more than 0")
        self.scale_mm = scale_mm

    def __call__(self, distance: Tensor) -> Tensor:
        """Return dimensionless values in [-1, 1] of distances in mm of any shape."""
        return (distance / self.scale_mm).clamp(-1, 1)


class ClipScaleDistanced(MapTransform):
    """Dictionary version of :class:`ClipScaleDistance`.

    Args:
        keys: of the distances.
        scale_mm: distance that becomes 1.
        allow_missing_keys: skip items without a key.
    """

    def __init__(self, keys: KeysCollection, scale_mm: float = 5.0, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = ClipScaleDistance(scale_mm)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key])
        return result


ClipScaleDistanceD = ClipScaleDistanceDict = ClipScaleDistanced
