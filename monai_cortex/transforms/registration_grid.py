"""Bring a pair of images onto the grid that a registration network sees, and say which of its voxels are image."""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.geometry.aligned_grid import AlignedGrid, aligned_grid, resample_aligned
from monai_cortex.geometry.displacement_space import resample_displacement

__all__ = ["RegistrationGrid", "RegistrationGridD", "RegistrationGridDict", "RegistrationGridd"]

_log = logging.getLogger(__name__)
_IMAGES = ("fixed_full", "moving_full")
_FIELDS = ("true_displacement", "true_inverse")
_LOST = 0.01


class RegistrationGrid(Transform):
    """Resample by cubic splines, cut or pad around the middle.

    What agrees within 0.001 mm is not resampled; else the number of voxels is rounded up. Stacks of few slices are
    padded: what the images do not cover is told by a mask, and costs computing only.

    Args:
        spacing: voxel edges in mm; None keeps the image's own.
        roi: voxels along i and j, to which images are cut or padded, and optionally the most along k; None keeps all.
        multiple: the number of voxels is padded to a multiple of it along each axis, as the poolings of the network
            need it.

    Raises:
        ValueError: a size is not above 0.
    """

    def __init__(
        self,
        spacing: Sequence[float] | None = (1.5, 1.5, 3.15),
        roi: Sequence[int] | None = (128, 128),
        multiple: int = 8,
    ) -> None:
        self.spacing, self.roi, self.multiple = spacing, roi, multiple
        self.grid((1, 1, 1), np.eye(4))

    def grid(self, shape: Sequence[int], affine: Any) -> AlignedGrid:
        """The grid for images ``(I, J, K)`` with this affine ``(4, 4)``."""
        return aligned_grid(shape, affine, self.spacing, self.roi, (self.multiple,) * 3)

    def __call__(self, image: MetaTensor, mode: str = "spline") -> MetaTensor:
        """Return the image on the grid, ``(C, I', J', K')``, with the grid's affine.

        Args:
            image: ``(C, I, J, K)``.
            mode: "spline", or "nearest" for labels.
        """
        grid = self.grid(image.shape[1:], image.affine)
        values = resample_aligned(image.as_subclass(torch.Tensor), grid, mode)
        return MetaTensor(values, affine=torch.from_numpy(grid.affine))


class RegistrationGridd(MapTransform):
    """Dictionary version of :class:`RegistrationGrid` for pairs.

    Of ``fixed_full`` and ``moving_full`` it makes ``fixed_image`` and ``moving_image`` float32, of
    ``fixed_full_label`` and ``moving_full_label``, where they are there, ``fixed_label`` and ``moving_label``, and adds
    ``valid`` ``(1, I', J', K')`` float32: 0 in the padding and on slices that are constant in either image, else 1.
    ``true_displacement`` and ``true_inverse`` ``(3, I, J, K)`` in voxels of any grid, where they are there, become
    ``(3, I', J', K')`` in voxels of the registration grid, constant beyond their own.

    Args:
        keys: of the two images.
        spacing, roi, multiple: see :class:`RegistrationGrid`; mm and voxels.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection = _IMAGES,
        spacing: Sequence[float] | None = (1.5, 1.5, 3.15),
        roi: Sequence[int] | None = (128, 128),
        multiple: int = 8,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = RegistrationGrid(spacing, roi, multiple)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        images = [data[key] for key in self.key_iterator(data)]
        for key in self.key_iterator(data):
            name = str(key).removesuffix("_full")
            result[f"{name}_image"] = self.transform(data[key])
            if f"{key}_label" in data:
                label = data[f"{key}_label"]
                result[f"{name}_label"] = self.transform(label, "nearest").float()
                _warn_of_loss(
                    f"{data.get('subject', '')} {name}", label, self.transform.grid(label.shape[1:], label.affine)
                )
        if images:
            result["valid"] = valid = self.transform(_with_contrast(images), "nearest")
            for key in set(_FIELDS) & set(data):
                result[key] = _field_on(data[key], valid)
        return result


RegistrationGridD = RegistrationGridDict = RegistrationGridd


def _with_contrast(images: Sequence[MetaTensor]) -> MetaTensor:
    """1 on slices with contrast in all images ``(1, I, J, K)``, else 0."""
    contrast = [image.amax((0, 1, 2)) > image.amin((0, 1, 2)) for image in images]
    mask = torch.stack([flags.as_subclass(Tensor) for flags in contrast]).all(0).float()
    return MetaTensor(mask.expand(images[0].shape).clone(), affine=images[0].affine)


def _field_on(field: MetaTensor, grid: MetaTensor) -> MetaTensor:
    affines = [torch.as_tensor(tensor.affine).as_subclass(Tensor).double() for tensor in (field, grid)]
    values = resample_displacement(field.as_subclass(Tensor), affines[0], grid.shape[1:], affines[1])
    return MetaTensor(values, affine=affines[1])


def _warn_of_loss(name: str, label: MetaTensor, grid: AlignedGrid) -> None:
    """Say it where the grid leaves out a part of what is labeled."""
    inside = (label > 0).as_subclass(Tensor)
    lines = []
    for places, count in zip(grid.places, grid.source_shape, strict=True):
        half = (places[-1] - places[0]) / max(len(places) - 1, 1) / 2
        lines.append(slice(max(0, math.ceil(places[0] - half)), min(count, math.floor(places[-1] + half) + 1)))
    lost = 1 - float(inside[tuple([slice(None), *lines])].sum()) / max(float(inside.sum()), 1.0)
    if lost > _LOST:
        _log.warning(
            "%s: %.0f %% of what is labeled lies outside of the registration grid; raise roi", name, 100 * lost
        )
