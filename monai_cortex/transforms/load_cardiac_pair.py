"""Read the two images of a pair, their labels, and the true motion where it is known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from numpy.typing import NDArray

from monai_cortex.data import CardiacPair, read_cardiac_pair

__all__ = ["LoadCardiacPair", "LoadCardiacPairD", "LoadCardiacPairDict", "LoadCardiacPaird"]

_IMAGES = ("fixed", "moving")
_FILES = ("fixed", "moving", "fixed_seg", "moving_seg", "true_warp", "true_inverse_warp", "info")


class LoadCardiacPair(Transform):
    """Read and check what an item of :func:`monai_cortex.data.cardiac_subjects` names."""

    def __call__(self, item: Mapping[str, Any]) -> CardiacPair:
        """Return images and labels.

        Args:
            item: paths and subject.
        """
        return read_cardiac_pair(item)


class LoadCardiacPaird(MapTransform):
    """Dictionary version of :class:`LoadCardiacPair`, which puts what it reads into the item.

    Adds ``fixed_full``, ``moving_full`` ``(1, I, J, K)`` float32 and, where there are labels, ``fixed_full_label``,
    ``moving_full_label`` ``(1, I, J, K)`` int16, all MetaTensors; where the motion is known ``true_displacement`` and
    ``true_inverse``, MetaTensors ``(3, I, J, K)`` in voxels of their own grid; and ``sources``, the files that were
    read, as "subject/name".

    Args:
        keys: of the images' paths.
        allow_missing_keys: not used; kept for MONAI's signature.
    """

    def __init__(self, keys: KeysCollection = _IMAGES, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = LoadCardiacPair()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        pair = self.transform({str(key): value for key, value in data.items()})
        affine = pair.fixed.affine
        for name in _IMAGES:
            result[f"{name}_full"] = _on_grid(getattr(pair, name).values, affine)
            label = getattr(pair, f"{name}_label")
            if label is not None:
                result[f"{name}_full_label"] = _on_grid(label, affine)
        for name, motion in (("true_displacement", pair.true_warp), ("true_inverse", pair.true_inverse_warp)):
            if motion is not None:
                result[name] = MetaTensor(motion.ddf, affine=torch.from_numpy(motion.affine))
        result["sources"] = sorted(f"{pair.subject}/{Path(data[key]).name}" for key in _FILES if key in data)
        return result


LoadCardiacPairD = LoadCardiacPairDict = LoadCardiacPaird


def _on_grid(values: NDArray[Any], affine: NDArray[np.float64]) -> MetaTensor:
    return MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine))
