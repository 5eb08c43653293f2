"""Put the signal of every voxel and the responses on one scale."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

__all__ = ["NormalizeDiffusion", "NormalizeDiffusionD", "NormalizeDiffusionDict", "NormalizeDiffusiond", "Normalized"]


class Normalized(NamedTuple):
    """Dimensionless signal ``(N, I, J, K)`` and responses ``(T, S, n_l)``, and the voxels' scale ``(1, I, J, K)``."""

    dwi: Tensor
    responses: Tensor
    scale: Tensor


class NormalizeDiffusion(Transform):
    r"""Divide the responses by white matter's signal at b = 0, and each voxel by its mean over the shells.

    The scale q of a voxel is its signal, averaged within and summed over the shells, relative to white matter's. It
    is 1 in white matter and larger in fluid, whose signal at b = 0 is several times brighter and would rule the loss.
    Averaging over all volumes makes it less noisy than one image at b = 0. A distribution f of the divided signal
    belongs to the measured one as q f.
    """

    def __call__(self, dwi: Tensor, responses: Tensor, shell: Tensor) -> Normalized:
        """Normalize.

        Args:
            dwi: signal ``(N, I, J, K)``.
            responses: zonal coefficients ``(T, S, n_l)``, white matter first, in the signal's unit.
            shell: number of each volume's shell ``(N,)``.

        Returns:
            Signal, responses and scale, dimensionless; scale is 0 where the voxel holds no signal.
        """
        reference = responses[0, 0, 0] / math.sqrt(4 * math.pi)
        responses = responses / reference
        means = torch.stack([dwi[shell == k].mean(0) for k in range(responses.shape[1])]).sum(0)
        scale = means / (reference * responses[0, :, 0].sum() / math.sqrt(4 * math.pi))
        inverse = torch.where(scale > 0, 1 / scale.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
        return Normalized((dwi * (inverse / reference)).float(), responses, scale[None].clamp_min(0).float())


class NormalizeDiffusiond(MapTransform):
    """Dictionary version of :class:`NormalizeDiffusion`: reads ``shell``, rescales ``responses``, adds ``scale``.

    Args:
        keys: the key of the signal ``(N, I, J, K)``, normally ``dwi``.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "dwi", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = NormalizeDiffusion()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result[key], result["responses"], result["scale"] = self.transform(
                data[key], data["responses"], data["shell"]
            )
        return result


NormalizeDiffusionD = NormalizeDiffusionDict = NormalizeDiffusiond
