"""Put the features of a cortex on one scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.geometry.icosphere import icosphere, icosphere_level
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import standardize

__all__ = ["NormalizeSurface", "NormalizeSurfaceD", "NormalizeSurfaceDict", "NormalizeSurfaced"]


class NormalizeSurface(Transform):
    """Features of mean 0 and deviation 1 over the sphere, with few outliers, by the areas of the icosphere's vertices.

    See :func:`monai_cortex.geometry.sphere_map.standardize`.

    Args:
        level: of the icosphere, V = 10 * 4**level + 2.

    Raises:
        ValueError: for a negative level.
    """

    def __init__(self, level: int) -> None:
        self.level, self.areas = level, vertex_areas(icosphere(level))

    def __call__(self, values: Tensor) -> Tensor:
        """Return dimensionless features ``(C, V)`` of features ``(C, V)``, zero where one is constant.

        Raises:
            ValueError: the vertices are not those of the icosphere.
        """
        if icosphere_level(values.shape[-1]) != self.level:
            raise ValueError(f"level {self.level} has {len(self.areas)} vertices, got shape {tuple(values.shape)}.")
        return standardize(values, self.areas)


class NormalizeSurfaced(MapTransform):
    """Dictionary version of :class:`NormalizeSurface`.

    Args:
        keys: of the features.
        level: of the icosphere.
        allow_missing_keys: skip items without a key.
    """

    def __init__(self, keys: KeysCollection, level: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = NormalizeSurface(level)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key])
        return result


NormalizeSurfaceD = NormalizeSurfaceDict = NormalizeSurfaced
