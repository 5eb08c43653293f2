"""The forward model of a scan: from orientations and isotropic tissues to its signal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.errors import GradientError
from monai_cortex.geometry.harmonics import even_count, fit_degree
from monai_cortex.geometry.response import deconvolution_design

__all__ = ["DeconvolutionDesign", "DeconvolutionDesignD", "DeconvolutionDesignDict", "DeconvolutionDesignd"]

_COEFFICIENTS = 4.0  # a direction, at most


class DeconvolutionDesign(Transform):
    """Matrix ``(N, n + isotropic)`` of :func:`monai_cortex.geometry.response.deconvolution_design`, float32.

    Fewer directions than coefficients are made up for by what else is known of the orientations (non-negativity,
    sparsity, neighbors), up to a point: four coefficients a direction are the limit.

    Args:
        degree: largest even degree L of the orientations, n = (L + 1)(L + 2)/2.

    Raises:
        GradientError: if the degree is too high for the directions.
    """

    def __init__(self, degree: int = 8) -> None:
        self.degree = degree

    def __call__(self, directions: Tensor, shell: Tensor, responses: Tensor) -> Tensor:
        """Build the matrix from directions ``(N, 3)``, shell numbers ``(N,)`` and responses ``(T, S, n_l)``."""
        self._check(int((shell > 0).sum()))
        return deconvolution_design(directions, shell, responses, self.degree).float()

    def _check(self, measured: int) -> None:
        limit = fit_degree(measured, _COEFFICIENTS)
        if self.degree > limit:
            raise GradientError(
                "lmax is too high for the directions of the scan",
                found=f"lmax {self.degree}, {even_count(self.degree)} coefficients, from {measured} directions",
                expected=f"an lmax of at most {limit}, {_COEFFICIENTS:g} coefficients a direction",
                remedy=f"set --lmax {limit} and train anew, or acquire more directions",
            )


class DeconvolutionDesignd(MapTransform):
    """Dictionary version of :class:`DeconvolutionDesign`: reads ``directions`` and ``shell``, adds ``design``.

    Args:
        keys: the key of the responses ``(T, S, n_l)``, normally ``responses``.
        degree: largest even degree L of the orientations.
        allow_missing_keys: skip items without the key.
    """

    def __init__(self, keys: KeysCollection = "responses", degree: int = 8, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = DeconvolutionDesign(degree)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            result["design"] = self.transform(data["directions"], data["shell"], data[key])
        return result


DeconvolutionDesignD = DeconvolutionDesignDict = DeconvolutionDesignd
