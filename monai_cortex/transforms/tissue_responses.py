"""Responses of white matter and of isotropic tissues, estimated from the scan or read from files."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.data import read_response
from monai_cortex.errors import ConfigError, GradientError, InputFileError
from monai_cortex.geometry.response import fiber_response, isotropic_response
from monai_cortex.transforms.diffusion_tensor import DiffusionTensor, TensorMaps

__all__ = ["TissueResponses", "TissueResponsesD", "TissueResponsesDict", "TissueResponsesd"]

_MOST, _LEAST = 300, 10  # voxels that a response is taken from
_SHARE = 0.1  # of the voxels that qualify
_FREE_WATER = 3.0e-3  # mm^2/s at 37 degrees Celsius
_WATER, _SOLID = 2.0e-3, 1.5e-3  # mm^2/s, mean diffusivity above which is fluid, below which is tissue
_ANISOTROPIC = 0.2  # fractional anisotropy below which tissue counts as isotropic


class _Voxels(NamedTuple):
    """Signal ``(P, N)`` and tensor of the voxels in the mask, directions ``(N, 3)`` and shell numbers ``(N,)``."""

    signal: Tensor
    tensor: TensorMaps
    directions: Tensor
    shell: Tensor


class TissueResponses(Transform):
    """Estimate responses from single-fiber, gray-matter and fluid voxels, chosen by a diffusion tensor (dipy).

    White matter is the tenth of the voxels with the highest fractional anisotropy, at most 300; "csf" are fluid
    voxels (mean diffusivity above 2e-3 mm^2/s), "gm" isotropic solid ones. Where the scan has fewer than ten fluid
    voxels, the response is that of free water (3e-3 mm^2/s) with white matter's signal at b = 0.

    Args:
        tissues: "wm" first, then "gm", "csf" or both; at most as many as there are shells, b = 0 included.
        degree: largest even degree of the white-matter response.

    Raises:
        ConfigError: for unknown tissues, or where dipy is not installed.
        GradientError: if there are more tissues than shells, or too few voxels to estimate from.
    """

    def __init__(self, tissues: Sequence[str] = ("wm", "csf"), degree: int = 8) -> None:
        if list(tissues[:1]) != ["wm"] or not set(tissues[1:]) <= {"gm", "csf"} or len(set(tissues)) < len(tissues):
            raise ConfigError(
                "these tissues cannot be told apart",
                found=list(tissues),
                expected='"wm" first, then "gm", "csf" or both',
                remedy="set tissues, for instance --tissues \"['wm','csf']\"",
            )
        self.tissues, self.degree = tuple(tissues), degree

    def __call__(
        self,
        dwi: Tensor,
        bvalues: Tensor,
        directions: Tensor,
        shell: Tensor,
        mask: Tensor,
        given: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return zonal coefficients ``(T, S, degree/2 + 1)`` in the unit of the signal.

        Args:
            dwi: signal ``(N, I, J, K)``.
            bvalues: ``(N,)`` in s/mm^2.
            directions: unit vectors ``(N, 3)`` in world axes.
            shell: number of each volume's shell ``(N,)``.
            mask: ``(1, I, J, K)``, voxels to use.
            given: coefficients ``(S, n_l)`` of tissues that are known already, by name.
        """
        shells = int(shell.max()) + 1
        if len(self.tissues) > shells:
            raise GradientError(
                "more tissues than shells",
                found=f"{len(self.tissues)} tissues ({', '.join(self.tissues)}), {shells} shells with b = 0",
                expected="at most as many tissues as shells",
                remedy="leave out a tissue, for instance --tissues \"['wm','csf']\"",
            )
        known = dict(given or {})
        if missing := [t for t in self.tissues if t not in known]:
            signal = dwi[:, mask[0] > 0].T.double()
            voxels = _Voxels(signal, DiffusionTensor()(signal.T, bvalues, directions), directions, shell)
            for tissue in missing:  # white matter first: free water takes its signal at b = 0
                found = self._estimate(tissue, voxels)
                known[tissue] = _free_water(bvalues, shell, known["wm"]) if found is None else found
        result = torch.zeros(len(self.tissues), shells, self.degree // 2 + 1, dtype=torch.float64)
        for row, tissue in zip(result, self.tissues, strict=True):
            count = min(known[tissue].shape[1], row.shape[1])
            row[:, :count] = known[tissue][:, :count]
        return result

    def _estimate(self, tissue: str, voxels: _Voxels) -> Tensor | None:
        """Response of one tissue; None where there is too little fluid to tell."""
        signal, (fa, md, axis), directions, shell = voxels
        solid = (md < _SOLID) & (md > 0)
        if tissue == "wm":
            best = _highest(fa, solid)
            return fiber_response(signal[best], directions, shell, axis[best], self.degree)
        if tissue == "gm":
            return isotropic_response(signal[_highest(-fa, solid & (fa < _ANISOTROPIC))], shell)
        fluid = (md > _WATER) & (fa < _ANISOTROPIC)
        return isotropic_response(signal[_highest(md, fluid)], shell) if fluid.sum() >= _LEAST else None


def _free_water(bvalues: Tensor, shell: Tensor, white_matter: Tensor) -> Tensor:
    """Response of free water with white matter's signal at b = 0."""
    decay = torch.exp(-_FREE_WATER * torch.where(shell == 0, 0.0, bvalues))
    return isotropic_response(decay[None], shell) * white_matter[0, 0] / math.sqrt(4 * math.pi)


def _highest(score: Tensor, candidates: Tensor) -> Tensor:
    """Indices of the candidates with the highest score: a tenth of them, within limits."""
    index = candidates.nonzero()[:, 0]
    if len(index) < _LEAST:
        raise GradientError(
            "too few voxels to estimate a response from",
            found=f"{len(index)} voxels",
            expected=f"at least {_LEAST}",
            remedy="give response files (response_wm.txt, ...) beside dwi.nii.gz, or a larger mask",
        )
    count = min(max(int(_SHARE * len(index)), _LEAST), _MOST)
    return index[score[index].argsort(descending=True, stable=True)[:count]]


class TissueResponsesd(MapTransform):
    """Dictionary version of :class:`TissueResponses`; files under ``response_<tissue>`` come first.

    Reads ``bvalues``, ``directions``, ``shell`` and ``mask``; adds ``responses`` ``(T, S, degree/2 + 1)`` in the unit
    of the signal, and ``response_source``: for each tissue "estimated" or "file".

    Args:
        keys: the key of the signal, normally ``dwi``.
        tissues, degree: see :class:`TissueResponses`.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "dwi",
        tissues: Sequence[str] = ("wm", "csf"),
        degree: int = 8,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = TissueResponses(tissues, degree)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            files = {t: data[f"response_{t}"] for t in self.transform.tissues if f"response_{t}" in data}
            given = {t: _from_file(path, data, key) for t, path in files.items()}
            bvalues, directions, shell, mask = (data[name] for name in ("bvalues", "directions", "shell", "mask"))
            result["responses"] = self.transform(data[key], bvalues, directions, shell, mask, given)
            result["response_source"] = {t: "file" if t in files else "estimated" for t in self.transform.tissues}
        return result


def _from_file(path: str, data: Mapping[Hashable, Any], key: Hashable) -> Tensor:
    """Response of a file, one row for each shell, b = 0 first."""
    rows = torch.as_tensor(read_response(path).coefficients, dtype=torch.float64)
    shells = len(data["shells"])
    if len(rows) == shells - 1:  # single-shell files leave b = 0 out
        unweighted = data[key][data["shell"] == 0][:, data["mask"][0] > 0].double()
        first = torch.zeros_like(rows[:1])
        first[0, 0] = isotropic_response(unweighted.mean()[None, None], torch.zeros(1, dtype=torch.int64))[0, 0]
        rows = torch.cat([first, rows])
    if len(rows) != shells:
        raise InputFileError(
            "the response has another number of shells than the scan",
            file=path,
            subject=str(data.get("subject", "")),
            found=f"{len(rows)} rows",
            expected=f"{shells} rows, one for each shell {data['shells'].tolist()} s/mm^2 (or without b = 0)",
            remedy="estimate the response from this scan, or remove the file to have it estimated",
        )
    return rows


TissueResponsesD = TissueResponsesDict = TissueResponsesd
