"""Diffusion tensor of every voxel, by dipy."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import optional_import
from torch import Tensor

from monai_cortex.errors import ConfigError

__all__ = ["DiffusionTensor", "DiffusionTensorD", "DiffusionTensorDict", "DiffusionTensord", "TensorMaps"]


class TensorMaps(NamedTuple):
    """Fractional anisotropy (0 to 1), mean diffusivity in mm^2/s, both ``(...)``, and main axis ``(..., 3)``."""

    anisotropy: Tensor
    diffusivity: Tensor
    axis: Tensor


class DiffusionTensor(Transform):
    """Weighted least-squares fit of the diffusion tensor.

    Raises:
        ConfigError: where dipy is not installed.

    Reference:
        Basser et al., Biophys. J. 66(1):259-267, 1994; Garyfallidis et al., Front. Neuroinform. 8:8, 2014 (dipy).
    """

    def __call__(self, dwi: Tensor, bvalues: Tensor, directions: Tensor) -> TensorMaps:
        """Fit signals ``(N, ...)`` at b-values ``(N,)`` in s/mm^2 and directions ``(N, 3)``."""
        dti, installed = optional_import("dipy.reconst.dti")
        if not installed:
            raise ConfigError(
                "fitting a diffusion tensor needs dipy, which is not installed",
                expected="dipy, or response files response_wm.txt, response_csf.txt beside dwi.nii.gz",
                remedy="pip install dipy",
            )
        gradients, _ = optional_import("dipy.core.gradients")
        table = gradients.gradient_table(bvalues.numpy(), bvecs=directions.numpy(), b0_threshold=50)
        fit = dti.TensorModel(table).fit(dwi.movedim(0, -1).double().numpy())
        return TensorMaps(*(torch.as_tensor(part.copy()) for part in (fit.fa, fit.md, fit.evecs[..., 0])))


class DiffusionTensord(MapTransform):
    """Dictionary version of :class:`DiffusionTensor`.

    Reads ``bvalues`` and ``directions``; adds ``anisotropy`` ``(1, I, J, K)`` and ``diffusivity`` in mm^2/s.

    Args:
        keys: the key of the signal ``(N, I, J, K)``, normally ``dwi``.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "dwi", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = DiffusionTensor()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            maps = self.transform(data[key], data["bvalues"], data["directions"])
            result |= {"anisotropy": maps.anisotropy[None].float(), "diffusivity": maps.diffusivity[None].float()}
        return result


DiffusionTensorD = DiffusionTensorDict = DiffusionTensord
