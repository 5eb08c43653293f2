"""Carry the values of any sphere over to an icosphere."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.sphere_map import SphereMap

__all__ = ["SphericalResample", "SphericalResampleD", "SphericalResampleDict", "SphericalResampled"]

_MODES = ("linear", "nearest")


class SphericalResample(Transform):
    """Values at the vertices of an icosphere.

    Args:
        level: of the icosphere, V = 10 * 4**level + 2.
        mode: "linear" on each triangle; or "nearest" for labels, of which none is invented.
        dtype: of what is interpolated; labels come out as int64.

    Raises:
        ValueError: for another mode or a negative level.
    """

    def __init__(self, level: int, mode: str = "linear", dtype: torch.dtype = torch.float32) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode is one of {', '.join(_MODES)}, got {mode!r}.")
        self.vertices, self.mode, self.dtype = icosphere(level).vertices, mode, dtype

    def __call__(self, sphere: SphereMap) -> Tensor:
        """Return the values ``(C, V)`` of a map with values ``(C, N)`` on a sphere of N vertices.

        Raises:
            ValueError: there is not one value for each vertex, or labels are no whole numbers.
        """
        values, count = sphere.values, len(sphere.mesh.vertices)
        if values.shape[-1] != count:
            raise ValueError(f"the sphere has {count} vertices, its values have shape {tuple(values.shape)}.")
        if self.mode == "linear":
            return sphere.at(self.vertices).to(self.dtype)
        if values.is_floating_point():
            raise ValueError(f"labels are whole numbers, got {values.dtype}; use mode='linear' for features.")
        return sphere.nearest(self.vertices).long()


class SphericalResampled(MapTransform):
    """Dictionary version of :class:`SphericalResample`.

    Args:
        keys: of the maps.
        level: of the icosphere.
        mode: see :class:`SphericalResample`.
        dtype: see :class:`SphericalResample`.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection,
        level: int,
        mode: str = "linear",
        dtype: torch.dtype = torch.float32,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = SphericalResample(level, mode, dtype)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key])
        return result


SphericalResampleD = SphericalResampleDict = SphericalResampled
