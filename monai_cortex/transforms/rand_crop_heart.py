"""Cut a random part out of a pair of images, the heart within it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import RandomizableTransform
from monai.utils.misc import ensure_tuple
from torch import Tensor

from monai_cortex.transforms.shared_draw import SharedDraw

__all__ = ["RandCropHeart", "RandCropHeartD", "RandCropHeartDict", "RandCropHeartd"]

_KEYS = ("fixed_image", "moving_image", "fixed_label", "moving_label", "valid", "true_displacement", "true_inverse")
_LABELS = ("fixed_label", "moving_label")

_Edges = Sequence[tuple[int, int]]


class RandCropHeart(RandomizableTransform):
    """Cut out a part that holds all of a box, or lies within it where the box is larger, at a random place.

    Args:
        patch: voxels along i, j and optionally k; an axis without, or with fewer voxels, stays whole.

    Raises:
        ValueError: a size is below 1.
    """

    def __init__(self, patch: Sequence[int] = (96, 96)) -> None:
        super().__init__(1.0)
        if min(patch) < 1:
            raise ValueError(f"patch is at least 1 along each axis, got {patch}.")
        self.prob, self.patch = 1.0, tuple(patch)
        self.part: tuple[slice, ...] = ()

    def randomize(self, data: tuple[Sequence[int], _Edges]) -> None:
        """Draw the ``part``.

        Args:
            data: shape ``(I, J, K)``, and first and end of the box along each axis.
        """
        part = []
        shape, box = data
        sizes = (*self.patch, *shape[len(self.patch) :])
        for count, (first, end), size in zip(shape, box, sizes, strict=True):
            free = max(count - size, 0)
            low, high = sorted(min(max(edge, 0), free) for edge in (first, end - size))
            start = int(self.R.randint(low, high + 1))
            part.append(slice(start, min(start + size, count)))
        self.part = tuple(part)

    def __call__(self, image: Tensor, box: _Edges | None = None, randomize: bool = True) -> Tensor:
        """Return the part of an image ``(C, I, J, K)``; the affine of a MetaTensor goes with it.

        Args:
            image: ``(C, I, J, K)``.
            box: first and end along each axis, voxels; None is the whole image.
            randomize: False repeats the last draw.
        """
        if randomize:
            shape = tuple(image.shape[1:])
            self.randomize((shape, box or [(0, count) for count in shape]))
        # A copy, so that the whole need not stay in memory.
        part = (slice(None), *self.part)
        values = image.as_subclass(Tensor)[part].clone()
        if not isinstance(image, MetaTensor):
            return values
        affine = torch.as_tensor(image.affine).double().clone()
        start = affine.new_tensor([line.start for line in self.part])
        affine[:3, 3] += affine[:3, :3] @ start
        return MetaTensor(values, affine=affine)


class RandCropHeartd(SharedDraw):
    """Dictionary version of :class:`RandCropHeart`: one part for a pair, around what is labeled in either image.

    Without labels the part lies anywhere.

    Args:
        keys: of images, labels and displacements; the first must be there.
        label_keys: of labels, whose voxels above 0 are the heart.
        patch: voxels along i, j and optionally k.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection = _KEYS,
        label_keys: KeysCollection = _LABELS,
        patch: Sequence[int] = (96, 96),
        allow_missing_keys: bool = True,
    ) -> None:
        super().__init__(RandCropHeart(patch), keys, allow_missing_keys)
        self.label_keys = ensure_tuple(label_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        labels = [data[key] for key in self.label_keys if key in data]
        shape = tuple(data[self.keys[0]].shape[1:])
        self.transform.randomize((shape, _box(labels) or [(0, count) for count in shape]))
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key], randomize=False)
        return result


RandCropHeartD = RandCropHeartDict = RandCropHeartd


def _box(labels: Sequence[Tensor]) -> list[tuple[int, int]] | None:
    """First and end of what is labeled along each axis; None where nothing is."""
    if not labels:
        return None
    inside = torch.stack([label.as_subclass(Tensor)[0] > 0 for label in labels]).any(0)
    index = inside.nonzero()
    if not len(index):
        return None
    return list(zip(index.amin(0).tolist(), (index.amax(0) + 1).tolist(), strict=True))
