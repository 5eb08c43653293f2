"""Cut an image to the box around cortical surfaces."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, SpatialCrop, Transform

from monai_cortex.geometry.mesh import Mesh

__all__ = ["CropToCortex", "CropToCortexD", "CropToCortexDict", "CropToCortexd"]


class CropToCortex(Transform):
    """Keep the voxels within a distance of the surfaces' bounding box; parts outside the image are not added.

    Args:
        margin_mm: beyond the box, along each axis.
    """

    def __init__(self, margin_mm: float = 8.0) -> None:
        self.margin_mm = margin_mm

    def __call__(self, image: MetaTensor, surfaces: Sequence[Mesh]) -> MetaTensor:
        """Return the part of an image ``(C, I, J, K)``, with the affine that belongs to it.

        Args:
            image: with an affine to RAS+ mm.
            surfaces: in RAS+ mm.
        """
        affine = torch.as_tensor(image.affine, dtype=torch.float64).as_subclass(torch.Tensor)
        points = torch.cat([mesh.vertices.double() for mesh in surfaces])
        index = torch.linalg.solve(affine[:3, :3], (points - affine[:3, 3]).T).T
        margin = self.margin_mm / affine[:3, :3].norm(dim=0)
        start = (index.amin(0) - margin).floor().long().clamp(min=0)
        end = torch.minimum((index.amax(0) + margin).ceil().long() + 1, torch.tensor(image.shape[1:]))
        part: Any = SpatialCrop(roi_start=start.tolist(), roi_end=end.tolist())(image)
        # A copy, so that the whole image need not stay in memory.
        return MetaTensor(part.as_subclass(torch.Tensor).clone(), affine=part.affine)


class CropToCortexd(MapTransform):
    """Dictionary version of :class:`CropToCortex`; adds ``full_shape`` and ``full_affine``, of the image before.

    Args:
        keys: of the image.
        surfaces_key: of the meshes.
        margin_mm: beyond the box, along each axis.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        surfaces_key: str = "pial",
        margin_mm: float = 8.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform, self.surfaces_key = CropToCortex(margin_mm), surfaces_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            image = data[key]
            result |= {"full_shape": tuple(image.shape[1:]), "full_affine": torch.as_tensor(image.affine).clone()}
            result[key] = self.transform(image, data[self.surfaces_key])
        return result


CropToCortexD = CropToCortexDict = CropToCortexd
