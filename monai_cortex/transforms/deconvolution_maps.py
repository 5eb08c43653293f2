"""Maps of a deconvolution, as they are written to disk."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.peaks import fiber_peaks
from monai_cortex.geometry.tissue_amounts import fit_amounts

__all__ = [
    "DeconvolutionMaps",
    "DeconvolutionMapsD",
    "DeconvolutionMapsDict",
    "DeconvolutionMapsd",
    "Maps",
]

_ROUNDING = 1e-6
_AMOUNTS = ("signal", "b0", "predicted")


class Maps(NamedTuple):
    """Results on the scan's grid, zero outside the mask.

    Attributes:
        tissues: coefficients of each tissue by name: "wm" ``(n, I, J, K)`` in MRtrix's basis, the others
            ``(1, I, J, K)``, in MRtrix's units (1 is the amount whose signal is the response).
        peaks: direction times amplitude of the highest peaks, the highest first, world axes, ``(3 * number, I, J, K)``;
            NaN where there are fewer.
        residual: root mean square misfit over the volumes in percent of the signal at b = 0, ``(1, I, J, K)``.
        prediction: coefficients of the normalized signal with the amounts that the maps have,
            ``(n + isotropic, I, J, K)``.
    """

    tissues: dict[str, Tensor]
    peaks: Tensor
    residual: Tensor
    prediction: Tensor


class DeconvolutionMaps(Transform):
    """Undo the normalization, find the peaks, measure the misfit.

    Args:
        tissues: names of the tissues, white matter first.
        peaks: number of peaks.
        threshold: least amplitude of a peak as a fraction of the voxel's highest.
        amounts: which amounts of tissue the voxels get. "signal": those that explain the signal best, the shape of the
            distributions kept (see :func:`monai_cortex.geometry.tissue_amounts.fit_amounts`); "b0": the prediction's,
            all scaled to reproduce the measured mean at b = 0; "predicted": the prediction's.

    Raises:
        ConfigError: for other amounts.
    """

    def __init__(
        self,
        tissues: Sequence[str] = ("wm", "csf"),
        peaks: int = 5,
        threshold: float = 0.1,
        amounts: str = "signal",
    ) -> None:
        if amounts not in _AMOUNTS:
            raise ConfigError(
                "amounts of tissue cannot be found like that",
                found=f"amounts {amounts!r}",
                expected=" or ".join(map(repr, _AMOUNTS)),
                remedy="choose one of them",
            )
        self.tissues, self.peaks, self.threshold, self.amounts = tuple(tissues), peaks, threshold, amounts

    def __call__(self, prediction: Tensor, dwi: Tensor, design: Tensor, mask: Tensor, scale: Tensor) -> Maps:
        """Make the maps.

        Args:
            prediction: coefficients of the normalized signal ``(n + isotropic, I, J, K)``.
            dwi: normalized signal ``(N, I, J, K)``.
            design: matrix from coefficients to normalized signal ``(N, n + isotropic)``.
            mask: ``(1, I, J, K)``.
            scale: of each voxel ``(1, I, J, K)``.
        """
        inside = mask[0] > 0
        values = prediction[:, inside].float()
        count = len(values) - len(self.tissues) + 1
        # Volumes at b = 0 see degree 0 only, but for rounding.
        unweighted = (design[:, 1:count].abs() <= _ROUNDING * design[:, :1].abs()).all(1)
        baseline = dwi[unweighted][:, inside].mean(0)
        if self.amounts == "signal":
            values = fit_amounts(dwi[:, inside], design, values, count)
        elif self.amounts == "b0":
            explained = (design[unweighted] @ values).mean(0)
            values = values * torch.where(explained > 0, baseline / explained.clamp_min(1e-6), 1.0)
        misfit = (design @ values - dwi[:, inside]).square().mean(0).sqrt()
        relative = torch.where(baseline > 0, 100 * misfit / baseline.clamp_min(1e-6), 0.0)
        coefficients = values * scale[:, inside]
        found = fiber_peaks(coefficients[:count], self.peaks, self.threshold)
        arrows = (found.directions * found.amplitudes[..., None]).flatten(1).T
        arrows = torch.where(found.amplitudes.repeat_interleave(3, 1).T > 0, arrows, torch.nan)
        volumes = [coefficients[:count], *coefficients[count:, None]]
        tissues = {name: _fill(v, inside) for name, v in zip(self.tissues, volumes, strict=True)}
        return Maps(tissues, _fill(arrows, inside), _fill(relative[None], inside), _fill(values, inside))


def _fill(values: Tensor, inside: Tensor) -> Tensor:
    """Values ``(C, P)`` of the voxels inside, on the grid ``(C, I, J, K)``."""
    volume = values.new_zeros(len(values), *inside.shape)
    volume[:, inside] = values
    return volume


class DeconvolutionMapsd(MapTransform):
    """Dictionary version of :class:`DeconvolutionMaps`.

    Reads ``dwi``, ``design``, ``mask`` and ``scale``; adds ``wmfod`` ``(n, I, J, K)``, ``peaks``, ``residual`` and one
    map for each isotropic tissue under its name; shapes and units as in :class:`Maps`. Gives the network's result the
    amounts that the maps have.

    Args:
        keys: the key of the network's result, normally ``pred``.
        tissues, peaks, threshold, amounts: see :class:`DeconvolutionMaps`.
        prefix: put before the names of the maps.
        allow_missing_keys: skip items without the key.
    """

    def __init__(  # noqa: PLR0913
        self,
        keys: KeysCollection = "pred",
        tissues: Sequence[str] = ("wm", "csf"),
        peaks: int = 5,
        threshold: float = 0.1,
        amounts: str = "signal",
        prefix: str = "",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform, self.prefix = DeconvolutionMaps(tissues, peaks, threshold, amounts), prefix

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            inputs = [torch.as_tensor(data[name]).cpu() for name in (key, "dwi", "design", "mask", "scale")]
            maps = self.transform(*inputs)
            named = {"wmfod" if name == "wm" else name: volume for name, volume in maps.tissues.items()}
            named |= {"peaks": maps.peaks, "residual": maps.residual}
            result |= {self.prefix + name: volume for name, volume in named.items()}
            result[key] = maps.prediction
        return result


DeconvolutionMapsD = DeconvolutionMapsDict = DeconvolutionMapsd
