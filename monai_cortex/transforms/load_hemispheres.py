"""Read the hemispheres of a subject: spheres, features, labels and other surfaces."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

from monai_cortex.data import CorticalHemisphere, read_cortical_subject

__all__ = ["LoadHemispheres", "LoadHemispheresD", "LoadHemispheresDict", "LoadHemispheresd"]

_FILES = ("sphere", "annot", "inflated", "white")


class LoadHemispheres(Transform):
    """Read and check the hemispheres that an item of :func:`monai_cortex.data.registration_subjects` names."""

    def __call__(self, items: Mapping[str, Mapping[str, Any]]) -> dict[str, CorticalHemisphere]:
        """Return the hemispheres by side, each with values ``(C, V)`` on a unit sphere.

        Args:
            items: paths, by side.
        """
        return {side: read_cortical_subject(item) for side, item in items.items()}


class LoadHemispheresd(MapTransform):
    """Dictionary version of :class:`LoadHemispheres`; adds ``sources``, the files that were read, by side.

    Args:
        keys: the key of the items by side, normally ``hemispheres``.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "hemispheres", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = LoadHemispheres()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key])
            result["sources"] = {side: _sources(item) for side, item in data[key].items()}
        return result


LoadHemispheresD = LoadHemispheresDict = LoadHemispheresd


def _sources(item: Mapping[str, Any]) -> list[str]:
    paths = [*(item[name] for name in _FILES if name in item), *item["features"].values()]
    return sorted(f"{item['subject']}/{Path(path).name}" for path in paths)
