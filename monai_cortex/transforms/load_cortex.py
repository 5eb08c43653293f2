"""Read the white and pial surfaces of a subject, and the image that they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from monai_cortex.data import CorticalSurfaces, read_synthesis_subject

__all__ = ["LoadCortex", "LoadCortexD", "LoadCortexDict", "LoadCortexd"]

_PATHS = ("white", "pial")


class LoadCortex(Transform):
    """Read and check what an item of :func:`monai_cortex.data.synthesis_subjects` names.

    Args:
        open_surfaces: accept cut and patch surfaces.
    """

    def __init__(self, open_surfaces: bool = False) -> None:
        self.open_surfaces = open_surfaces

    def __call__(self, item: Mapping[str, Any]) -> CorticalSurfaces:
        """Return the surfaces and the image.

        Args:
            item: paths and subject.
        """
        return read_synthesis_subject(item, self.open_surfaces)


class LoadCortexd(MapTransform):
    """Dictionary version of :class:`LoadCortex`, which puts meshes, sides, labels and the image into the item.

    ``white`` and ``pial`` become lists of meshes, in the order of ``sides``; ``image`` a MetaTensor ``(1, I, J, K)``
    float32, zeros of 1 mm around the surfaces where there is no image; ``imaged`` tells whether there was one;
    ``labels`` and ``label_names`` are those of the annotations; ``sources`` are the files that were read, as
    "subject/name".

    Args:
        keys: of the paths by side, ``white`` and ``pial``.
        margin_mm: of the grid that is made where there is no image.
        allow_missing_keys: not used; kept for MONAI's signature.
        open_surfaces: accept cut and patch surfaces.
    """

    def __init__(
        self,
        keys: KeysCollection = _PATHS,
        margin_mm: float = 10.0,
        allow_missing_keys: bool = False,
        open_surfaces: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform, self.margin_mm = LoadCortex(open_surfaces), margin_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        cortex = self.transform({str(key): value for key, value in data.items()})
        sides = tuple(cortex.white)
        result |= {"sides": sides, "labels": cortex.labels, "label_names": cortex.label_names}
        result |= {"white": [cortex.white[side] for side in sides], "pial": [cortex.pial[side] for side in sides]}
        result |= {"image": self._image(cortex), "imaged": cortex.image is not None, "sources": _sources(data)}
        return result

    def _image(self, cortex: CorticalSurfaces) -> MetaTensor:
        if cortex.image is not None:
            return MetaTensor(torch.from_numpy(cortex.image.values)[None], affine=torch.from_numpy(cortex.image.affine))
        points = torch.cat([mesh.vertices for mesh in cortex.pial.values()]).numpy()
        low, high = np.floor(points.min(0) - self.margin_mm), np.ceil(points.max(0) + self.margin_mm)
        affine = np.eye(4)
        affine[:3, 3] = low
        shape = tuple(int(size) for size in high - low + 1)
        return MetaTensor(torch.zeros(1, *shape), affine=torch.from_numpy(affine))


LoadCortexD = LoadCortexDict = LoadCortexd


def _sources(item: Mapping[Hashable, Any]) -> list[str]:
    kinds = (item["white"], item["pial"], item.get("annot") or {})
    paths = [*(path for kind in kinds for path in kind.values()), *filter(None, [item.get("image")])]
    return sorted(f"{item['subject']}/{Path(path).name}" for path in paths)
