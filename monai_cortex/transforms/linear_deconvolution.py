"""A first, linear deconvolution: what tells a network the response of the tissue."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.geometry.response import deconvolution_design, linear_deconvolution

__all__ = ["LinearDeconvolution", "LinearDeconvolutionD", "LinearDeconvolutionDict", "LinearDeconvolutiond"]


class LinearDeconvolution(Transform):
    r"""Regularized least-squares estimate of the orientations and of each isotropic tissue.

    :math:`(D^T D + \lambda)^{-1} D^T` loses nothing of the signal that the model D can explain, and unlike the
    harmonics of a shell it depends on the response: a network that sees it need not know b-values or diffusivities.

    Args:
        degree: largest even degree of the orientations.
        regularization: weight lambda, dimensionless: about the squared ratio of noise to orientation coefficients of
            signals divided by white matter's at b = 0.

    Reference:
        Tournier et al., NeuroImage 23(3):1176-1185, 2004, with Tikhonov's regularization in place of a filter.
    """

    def __init__(self, degree: int = 8, regularization: float = 0.03) -> None:
        self.degree, self.regularization = degree, regularization

    def __call__(self, dwi: Tensor, directions: Tensor, shell: Tensor, responses: Tensor) -> Tensor:
        """Return coefficients ``(T * n, I, J, K)``, n = (degree + 1)(degree + 2)/2; isotropic ones have degree 0 only.

        Args:
            dwi: normalized signal ``(N, I, J, K)``.
            directions: unit vectors ``(N, 3)``.
            shell: number of each volume's shell ``(N,)``.
            responses: normalized zonal coefficients ``(T, S, n_l)``.
        """
        design = deconvolution_design(directions, shell, responses, self.degree)
        estimate = torch.einsum("cn,nijk->cijk", linear_deconvolution(design, self.regularization).to(dwi), dwi)
        isotropic = len(responses) - 1
        count = len(estimate) - isotropic
        result = dwi.new_zeros(isotropic + 1, count, *dwi.shape[1:])
        result[0] = estimate[:count]
        result[1:, 0] = estimate[count:]
        return result.flatten(0, 1)


class LinearDeconvolutiond(MapTransform):
    """Dictionary version of :class:`LinearDeconvolution`: appends its result to ``features``.

    Reads ``directions``, ``shell``, ``responses`` and, where present, ``inputs``, the volumes to use ``(M,)``.

    Args:
        keys: the key of the normalized signal ``(N, I, J, K)``, normally ``dwi``.
        degree, regularization: see :class:`LinearDeconvolution`.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "dwi",
        degree: int = 8,
        regularization: float = 0.03,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = LinearDeconvolution(degree, regularization)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            inputs = data.get("inputs", slice(None))
            dwi, directions, shell = (data[name][inputs] for name in (key, "directions", "shell"))
            found = self.transform(dwi, directions, shell, data["responses"])
            result["features"] = torch.cat([result["features"], found]) if "features" in result else found
        return result


LinearDeconvolutionD = LinearDeconvolutionDict = LinearDeconvolutiond
