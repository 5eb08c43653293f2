"""Mirror and transpose slices at random: images and the displacements between them alike."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import RandomizableTransform
from monai.utils.misc import ensure_tuple
from torch import Tensor

from monai_cortex.transforms.shared_draw import SharedDraw

__all__ = ["RandFlipPlane", "RandFlipPlaneD", "RandFlipPlaneDict", "RandFlipPlaned"]

_IMAGES = ("fixed_image", "moving_image", "fixed_label", "moving_label", "valid")
_FIELDS = ("true_displacement", "true_inverse")


class RandFlipPlane(RandomizableTransform):
    """Mirror along i, mirror along j, exchange i and j, each with one probability.

    Args:
        prob: of each of the three. What is not square in the plane keeps its axes.
    """

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(1.0)
        self.prob = prob
        self.mirrored, self.exchanged = (False, False), False

    def randomize(self, data: Any = None) -> None:
        """Draw which axes are ``mirrored``, and whether they are ``exchanged``."""
        draws = self.R.random_sample(3) < self.prob
        self.mirrored, self.exchanged = (bool(draws[0]), bool(draws[1])), bool(draws[2])

    def __call__(self, image: Tensor, vectors: bool = False, randomize: bool = True) -> Tensor:
        """Return the image ``(C, I, J, K)``; the affine of a MetaTensor goes with it.

        Args:
            image: ``(C, I, J, K)``.
            vectors: the channels are displacements along i, j and k in voxels, which turn with the axes.
            randomize: False repeats the last draw.
        """
        if randomize:
            self.randomize()
        values, back = image.as_subclass(Tensor), torch.eye(4, dtype=torch.float64)
        axes = [axis for axis in (0, 1) if self.mirrored[axis]]
        for axis in axes:
            back[axis, axis], back[axis, 3] = -1, values.shape[axis + 1] - 1
        values = values.flip([axis + 1 for axis in axes])
        if vectors:
            sign = values.new_tensor([-1.0 if axis in axes else 1.0 for axis in range(3)])
            values = values * sign[:, None, None, None]
        if self.exchanged and values.shape[1] == values.shape[2]:
            values = values.transpose(1, 2)
            values = values[[1, 0, 2]] if vectors else values
            back = back[:, [1, 0, 2, 3]]
        values = values.contiguous()
        if not isinstance(image, MetaTensor):
            return values
        return MetaTensor(values, affine=torch.as_tensor(image.affine).to(back) @ back)


class RandFlipPlaned(SharedDraw):
    """Dictionary version of :class:`RandFlipPlane`: one draw for a pair and what belongs to it.

    Args:
        keys: of images and labels.
        field_keys: of displacements, in voxels.
        prob: of each of the three changes.
        allow_missing_keys: skip items without a key.
    """

    def __init__(
        self,
        keys: KeysCollection = _IMAGES,
        field_keys: KeysCollection = _FIELDS,
        prob: float = 0.5,
        allow_missing_keys: bool = True,
    ) -> None:
        self.field_keys = ensure_tuple(field_keys)
        super().__init__(RandFlipPlane(prob), (*ensure_tuple(keys), *self.field_keys), allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        self.transform.randomize()
        for key in self.key_iterator(data):
            result[key] = self.transform(data[key], vectors=key in self.field_keys, randomize=False)
        return result


RandFlipPlaneD = RandFlipPlaneDict = RandFlipPlaned
