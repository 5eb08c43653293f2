"""The orientations that a network is taught, where they are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.data import read_volume
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.harmonics import even_count

__all__ = ["FiberTarget", "FiberTargetD", "FiberTargetDict", "FiberTargetd"]


class FiberTarget(Transform):
    """Read orientation distributions and put them on the scale of the normalized signal.

    Args:
        degree: largest even degree L to read.

    Raises:
        InputFileError: if the file has fewer coefficients than that, or another grid than the scan.
    """

    def __init__(self, degree: int = 8) -> None:
        self.degree = degree

    def __call__(self, path: str, scale: Tensor, subject: str = "") -> Tensor:
        """Return coefficients in MRtrix's basis ``(n, I, J, K)``, zero where the scale is.

        Args:
            path: file of coefficients ``(I, J, K, n)`` or more.
            scale: of each voxel ``(1, I, J, K)``, as the normalization gave it.
            subject: for messages.
        """
        count = even_count(self.degree)
        values = torch.as_tensor(read_volume(path, ndim=4, subject=subject).values).movedim(-1, 0)
        if len(values) < count or values.shape[1:] != scale.shape[1:]:
            raise InputFileError(
                "the true orientations do not fit",
                file=path,
                subject=subject,
                found=f"{len(values)} coefficients on {tuple(values.shape[1:])} voxels",
                expected=f"at least {count} (lmax {self.degree}) on {tuple(scale.shape[1:])}",
                remedy="simulate the scan again with this lmax, or lower lmax",
            )
        return torch.where(scale > 0, values[:count] / scale.clamp_min(torch.finfo(scale.dtype).tiny), 0.0)


class FiberTargetd(MapTransform):
    """Dictionary version of :class:`FiberTarget`: reads ``scale``, adds ``truth`` ``(n, I, J, K)``.

    Args:
        keys: the key of the file's path, normally ``target``.
        degree: largest even degree of the orientations.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "target", degree: int = 8, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = FiberTarget(degree)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result["truth"] = self.transform(data[key], data["scale"], str(data.get("subject", "")))
        return result


FiberTargetD = FiberTargetDict = FiberTargetd
