"""Constrained spherical deconvolution by dipy, the peer that results are shown beside."""

from __future__ import annotations

import time
import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import optional_import
from torch import Tensor

from monai_cortex.errors import ConfigError, GradientError

__all__ = [
    "ConstrainedDeconvolution",
    "ConstrainedDeconvolutionD",
    "ConstrainedDeconvolutionDict",
    "ConstrainedDeconvolutiond",
]

_SHELLS = 2  # b = 0 and the one that is deconvolved


class ConstrainedDeconvolution(Transform):
    """Single-shell constrained spherical deconvolution with the given response.

    Args:
        degree: largest even degree L of the orientations.

    Raises:
        ConfigError: where dipy is not installed.
        GradientError: for more shells than b = 0 and one other.

    Reference:
        Tournier et al., NeuroImage 35(4):1459-1472, 2007.
    """

    def __init__(self, degree: int = 8) -> None:
        self.degree = degree

    def __call__(self, dwi: Tensor, bvalues: Tensor, directions: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
        """Return coefficients in MRtrix's basis ``(n, I, J, K)``.

        Args:
            dwi: signal ``(N, I, J, K)``.
            bvalues: ``(N,)`` in s/mm^2, one shell besides b = 0.
            directions: unit vectors ``(N, 3)``.
            responses: zonal coefficients ``(T, S, n_l)`` in the signal's unit; those of white matter on the last shell
                are used.
            mask: ``(1, I, J, K)``.
        """
        if responses.shape[1] > _SHELLS:
            raise GradientError(
                "this constrained deconvolution is for one shell",
                found=f"{responses.shape[1]} shells with b = 0",
                expected="b = 0 and one other",
                remedy="run inference.json without evaluate.json, or compare with a multi-shell method",
            )
        csd, installed = optional_import("dipy.reconst.csdeconv")
        if not installed:
            raise ConfigError("the comparison needs dipy", remedy="pip install dipy")
        harmonics, _ = optional_import("dipy.reconst.shm")
        gradients, _ = optional_import("dipy.core.gradients")
        table = gradients.gradient_table(bvalues.numpy(), bvecs=directions.numpy(), b0_threshold=50)
        response = csd.AxSymShResponse(float(responses[0, 0, 0]), responses[0, -1].numpy())
        signal = dwi.movedim(0, -1).numpy().astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # of the basis inside dipy's model
            model = csd.ConstrainedSphericalDeconvModel(table, response, sh_order_max=self.degree)
            fit = model.fit(signal, mask=mask[0].numpy() > 0)
            coefficients = harmonics.convert_sh_descoteaux_tournier(np.nan_to_num(fit.shm_coeff))
        return torch.as_tensor(coefficients).movedim(-1, 0).float()


class ConstrainedDeconvolutiond(MapTransform):
    """Dictionary version of :class:`ConstrainedDeconvolution`.

    Reads ``bvalues``, ``directions``, ``responses``, ``mask`` and ``design``; adds ``csd`` with the columns of
    ``design`` ``(n + isotropic, I, J, K)``, isotropic tissues being zero, and ``csd_time`` in second.

    Args:
        keys: the key of the signal ``(N, I, J, K)``, normally ``dwi``.
        degree: largest even degree L of the orientations.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "dwi", degree: int = 8, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = ConstrainedDeconvolution(degree)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            start = time.perf_counter()
            table = [torch.as_tensor(data[name]) for name in ("bvalues", "directions", "responses", "mask")]
            fibers = self.transform(torch.as_tensor(data[key]), *table)
            isotropic = data["design"].shape[1] - len(fibers)
            result["csd"] = torch.cat([fibers, fibers.new_zeros(isotropic, *fibers.shape[1:])])
            result["csd_time"] = time.perf_counter() - start
        return result


ConstrainedDeconvolutionD = ConstrainedDeconvolutionDict = ConstrainedDeconvolutiond
