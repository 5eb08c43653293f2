"""Channels that a network draws an image from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.transforms.clip_scale_distance import ClipScaleDistance

__all__ = ["CHANNELS", "CortexCondition", "CortexConditionD", "CortexConditionDict", "CortexConditiond"]

CHANNELS = {"pial": "pial_distance", "white": "white_distance", "edges": "edges", "ribbon": "ribbon"}
_DISTANCES = ("pial_distance", "white_distance", "cortex")


class CortexCondition(Transform):
    """Scale distances by a fixed constant, and stack the channels that are asked for.

    Args:
        aux: names of :data:`CHANNELS`, in the order of the stack; none gives no condition.
        scale_mm: distance that becomes 1; beyond it, distances are clipped. Zero stays zero.

    Raises:
        ValueError: for another name, or a name twice.
        ConfigError: for a scale that is not above 0.
    """

    def __init__(self, aux: Sequence[str] = tuple(CHANNELS), scale_mm: float = 5.0) -> None:
        if not set(aux) <= CHANNELS.keys() or len(set(aux)) < len(aux):
            raise ValueError(f"aux must be names of {tuple(CHANNELS)}, once each, got {tuple(aux)}.")
        self.aux, self.scale = tuple(aux), ClipScaleDistance(scale_mm)

    def __call__(self, fields: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return source ``(1, I, J, K)`` and condition ``(C, I, J, K)``, in [-1, 1]; None for no channels.

        Args:
            fields: ``cortex`` and those of :data:`CHANNELS` that are asked for, ``(1, I, J, K)``: distances in mm,
                others in [-1, 1].
        """
        channels = [self._scaled(CHANNELS[name], fields) for name in self.aux]
        return self._scaled("cortex", fields), torch.cat(channels) if channels else None

    def _scaled(self, key: str, fields: Mapping[str, Tensor]) -> Tensor:
        values = fields[key]
        return torch.as_tensor(self.scale(values) if key in _DISTANCES else values).as_subclass(Tensor)


class CortexConditiond(MapTransform):
    """Dictionary version of :class:`CortexCondition`; adds ``source`` and, if there are channels, ``condition``.

    Args:
        keys: not read; the fields have fixed names.
        aux: see :class:`CortexCondition`.
        scale_mm: see :class:`CortexCondition`.
        allow_missing_keys: not used; kept for MONAI's signature.
    """

    def __init__(
        self,
        keys: KeysCollection = "cortex",
        aux: Sequence[str] = tuple(CHANNELS),
        scale_mm: float = 5.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = CortexCondition(aux, scale_mm)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        source, condition = self.transform({str(key): value for key, value in data.items()})
        result["source"] = source
        if condition is not None:
            result["condition"] = condition
        return result


CortexConditionD = CortexConditionDict = CortexConditiond
