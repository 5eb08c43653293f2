"""Read a diffusion MRI with its gradients and mask."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

from monai_cortex.data import DiffusionScan, find_shells, read_diffusion

__all__ = ["LoadDiffusion", "LoadDiffusionD", "LoadDiffusionDict", "LoadDiffusiond"]


_FILES = ("dwi", "bval", "bvec", "gradients", "mask")


class LoadDiffusion(Transform):
    """Read and check one subject: image, gradient table and mask, all in agreement.

    Args:
        nonfinite: what to do with NaN and infinite voxels: "error", or "mask" to leave them out.
    """

    def __init__(self, nonfinite: str = "error") -> None:
        self.nonfinite = nonfinite

    def __call__(self, item: Mapping[Hashable, Any]) -> DiffusionScan:
        """Return the signal ``(N, I, J, K)``, gradients in world axes (s/mm^2, unit vectors) and mask ``(I, J, K)``."""
        return read_diffusion(item, nonfinite=self.nonfinite)


class LoadDiffusiond(MapTransform):
    """Dictionary version of :class:`LoadDiffusion`.

    Reads the files that ``dwi``, ``bval`` and ``bvec`` (or ``gradients``) and, where present, ``mask`` name. Puts the
    signal ``(N, I, J, K)`` under ``keys`` and adds ``mask`` and ``b0`` (the mean at b = 0) ``(1, I, J, K)``,
    ``affine`` ``(4, 4)`` in mm, ``bvalues`` ``(N,)`` in s/mm^2, ``directions`` ``(N, 3)`` in world axes, ``shells``
    ``(S,)`` in s/mm^2, ``shell`` ``(N,)``, ``sources``, the files' names, ``nonfinite``, the number of voxels left out,
    and ``gradient_notes``, what was repaired in the gradient table.

    Args:
        keys: the key of the image, normally ``dwi``.
        nonfinite: see :class:`LoadDiffusion`.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self, keys: KeysCollection = "dwi", nonfinite: str = "error", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = LoadDiffusion(nonfinite)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            scan = self.transform(data)
            values, shell = find_shells(scan.table.bvalues)
            signal = torch.as_tensor(scan.signal)
            result |= {
                key: signal,
                "b0": signal[torch.as_tensor(shell) == 0].mean(0, keepdim=True),
                "sources": {name: f"{scan.subject}/{Path(data[name]).name}" for name in _FILES if name in data},
                "mask": torch.as_tensor(scan.mask)[None].float(),
                "affine": torch.as_tensor(scan.affine),
                "bvalues": torch.as_tensor(scan.table.bvalues),
                "directions": torch.as_tensor(scan.table.directions),
                "shells": torch.as_tensor(values),
                "shell": torch.as_tensor(shell),
                "nonfinite": scan.nonfinite,
                "gradient_notes": "; ".join(scan.table.notes),
            }
        return result


LoadDiffusionD = LoadDiffusionDict = LoadDiffusiond
