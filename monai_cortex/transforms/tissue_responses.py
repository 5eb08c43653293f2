"""Responses of white matter and of isotropic tissues, estimated from the scan or read from files."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.data import read_response
from monai_cortex.errors import ConfigError, GradientError, InputFileError
from monai_cortex.geometry.response import isotropic_response
from monai_cortex.geometry.tensor_fit import DIRECTIONS
from monai_cortex.geometry.zonal import zonal_fit
from monai_cortex.transforms.response_voxels import Choice, Chooser, Volumes, decay_voxels, tensor_voxels
from monai_cortex.transforms.single_fiber_voxels import SingleFiberVoxels

__all__ = ["TissueResponses", "TissueResponsesD", "TissueResponsesDict", "TissueResponsesd"]

_log = logging.getLogger(__name__)
_TYPICAL = {"gm": 0.8e-3, "csf": 3.0e-3}  # mm^2/s, of cortex and of free water at 37 degrees Celsius
_FOLDS = 8
_TOLERANCE = 80.0  # s/mm^2, within which the shells of a file are the scan's
_METHODS: dict[str, Callable[[Volumes], Chooser]] = {
    "tensor": lambda _: tensor_voxels,
    "tournier": SingleFiberVoxels,
    "dhollander": lambda _: decay_voxels,
}


class TissueResponses(Transform):
    """Estimate responses from single-fiber, gray-matter and fluid voxels of the scan.

    Voxels with the highest anisotropy are also those whose noise exaggerates it. Their measurements are therefore
    never used for their own choice: in each of eight rounds, voxels and fiber axes are chosen without an eighth of the
    volumes, whose measurements then enter the response. Where the scan has no ten voxels of gray matter or fluid, their
    response is that of cortex (0.8e-3 mm^2/s) or free water (3e-3 mm^2/s) with white matter's signal at b = 0.

    Args:
        tissues: "wm" first, then "gm", "csf" or both; at most as many as there are shells, b = 0 included.
        degree: largest even degree of the white-matter response.
        method: how voxels are chosen: "tensor", by a diffusion tensor; "dhollander", isotropic tissues by the decay
            of their signal; "tournier", single fibers by peaks of constrained deconvolution (dipy, slow); "auto",
            "dhollander" where there are several shells, else "tensor".

    Raises:
        ConfigError: for unknown tissues or methods, or where dipy is needed and not installed.
        GradientError: if there are more tissues than shells, or too few directions or voxels to estimate from.

    Reference:
        See :mod:`monai_cortex.transforms.response_voxels` and :mod:`monai_cortex.transforms.single_fiber_voxels`.
    """

    def __init__(self, tissues: Sequence[str] = ("wm", "csf"), degree: int = 8, method: str = "auto") -> None:
        if list(tissues[:1]) != ["wm"] or not set(tissues[1:]) <= {"gm", "csf"} or len(set(tissues)) < len(tissues):
            raise ConfigError(
                "these tissues cannot be told apart",
                found=list(tissues),
                expected='"wm" first, then "gm", "csf" or both',
                remedy="set tissues, for instance --tissues \"['wm','csf']\"",
            )
        if method not in ("auto", *_METHODS):
            raise ConfigError(
                "this method to estimate responses is not known",
                found=method,
                expected=", ".join(["auto", *_METHODS]),
                remedy="name one of these",
            )
        self.tissues, self.degree, self.method = tuple(tissues), degree, method

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
            given: coefficients ``(S, n_l)`` of tissues that are known already, by name; ``(S - 1, n_l)`` without b = 0,
                whose signal is then that of the tissue's voxels in the scan.
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
        if missing := [t for t in self.tissues if t not in known or len(known[t]) < shells]:
            signal = dwi[:, mask[0] > 0].T.double()
            found = self._estimate(missing, Volumes(signal, bvalues, directions.to(signal), shell))
            for tissue in missing:  # white matter first: typical responses take its signal at b = 0
                if tissue not in found:
                    _log.warning("%s: fewer than 10 voxels to estimate a response from, a typical one is taken", tissue)
                own = found[tissue] if tissue in found else _typical(tissue, bvalues, shell, known["wm"])
                known[tissue] = _completed(known[tissue], own) if tissue in known else own
        result = torch.zeros(len(self.tissues), shells, self.degree // 2 + 1, dtype=torch.float64)
        for row, tissue in zip(result, self.tissues, strict=True):
            count = min(known[tissue].shape[1], row.shape[1])
            row[:, :count] = known[tissue][:, :count]
        return result

    def _estimate(self, tissues: list[str], volumes: Volumes) -> dict[str, Tensor]:
        """Responses by tissue, without isotropic ones of which there is too little to tell."""
        single = int(volumes.shell.max()) == 1
        method = ("tensor" if single else "dhollander") if self.method == "auto" else self.method
        choose = _METHODS[method](volumes)
        samples: dict[str, list[_Sample]] = {tissue: [] for tissue in tissues}
        for kept, used in _rounds(volumes):
            chosen = choose(volumes.part(kept))
            for tissue in tissues:
                if tissue in chosen:
                    samples[tissue].append(_Sample(chosen[tissue], volumes.part(used)))
        if "wm" in tissues and not samples["wm"]:
            raise GradientError(
                "too few voxels to estimate a response of wm from",
                found=f"fewer than 10 that qualify, of {len(volumes.signal)} voxels",
                expected="at least 10",
                remedy="give response files (response_wm.txt, ...) beside dwi.nii.gz, or a larger mask",
            )
        return {tissue: _pooled(rounds, volumes.shell, self.degree) for tissue, rounds in samples.items() if rounds}


class _Sample(NamedTuple):
    """Chosen voxels, and volumes that did not take part in choosing them."""

    choice: Choice
    volumes: Volumes


def _rounds(volumes: Volumes) -> list[tuple[Tensor, Tensor]]:
    """Which volumes to choose voxels by and which to measure them by, ``(N,)`` bool each.

    An only volume of a shell is used for both, and so are all where leaving some out would leave too few directions.
    """
    shell = volumes.shell
    rank = torch.zeros_like(shell)
    alone = torch.zeros_like(shell, dtype=torch.bool)
    for number in shell.unique():
        here = shell == number
        rank[here], alone[here] = torch.arange(int(here.sum())), bool(here.sum() == 1)
    directions = volumes.low() & (shell > 0)
    left_out = [(rank % _FOLDS == number) & ~alone for number in range(_FOLDS)]
    if min(int((directions & ~out).sum()) for out in left_out) < DIRECTIONS:
        return [(torch.ones_like(alone), torch.ones_like(alone))]
    return [(~out, out | alone) for out in left_out if out.any()]


def _pooled(rounds: list[_Sample], shell: Tensor, degree: int) -> Tensor:
    """Zonal coefficients ``(S, n_l)`` of all rounds' measurements together; n_l = 1 of isotropic tissue."""
    rows = []
    for number in range(int(shell.max()) + 1):
        cosines, values = [], []
        for (voxels, axes), (signal, _, directions, here) in rounds:
            values.append(signal[voxels][:, here == number].flatten())
            if axes is not None:
                cosines.append((axes @ directions[here == number].T).flatten())
        pool = torch.cat(values)
        row = pool.new_zeros(degree // 2 + 1 if cosines else 1)
        if number and cosines:
            row += zonal_fit(torch.cat(cosines), pool, degree)
        else:
            row[0] = math.sqrt(4 * math.pi) * pool.mean()
        rows.append(row)
    return torch.stack(rows)


def _completed(rows: Tensor, estimate: Tensor) -> Tensor:
    """Rows of the weighted shells, preceded by that of b = 0 from an estimate."""
    first = torch.zeros_like(rows[:1])
    first[0, 0] = estimate[0, 0]
    return torch.cat([first, rows])


def _typical(tissue: str, bvalues: Tensor, shell: Tensor, white_matter: Tensor) -> Tensor:
    """Response of an isotropic tissue's usual diffusivity with white matter's signal at b = 0."""
    decay = torch.exp(-_TYPICAL[tissue] * torch.where(shell == 0, 0.0, bvalues))
    return isotropic_response(decay[None], shell) * white_matter[0, 0] / math.sqrt(4 * math.pi)


class TissueResponsesd(MapTransform):
    """Dictionary version of :class:`TissueResponses`; files under ``response_<tissue>`` come first.

    Such files are MRtrix's; they must hold the shells of the scan, by their comment ``# Shells:`` within 80 s/mm^2 if
    there is one, else by the number of rows. The row of b = 0, which ``dwi2response tournier`` leaves out, may be
    missing.

    Reads ``bvalues``, ``directions``, ``shell`` and ``mask``; adds ``responses`` ``(T, S, degree/2 + 1)`` in the unit
    of the signal, and ``response_source``: for each tissue "estimated" or "file".

    Args:
        keys: the key of the signal, normally ``dwi``.
        tissues, degree, method: see :class:`TissueResponses`.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "dwi",
        tissues: Sequence[str] = ("wm", "csf"),
        degree: int = 8,
        method: str = "auto",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = TissueResponses(tissues, degree, method)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            files = {t: data[f"response_{t}"] for t in self.transform.tissues if f"response_{t}" in data}
            given = {t: _from_file(path, data) for t, path in files.items()}
            bvalues, directions, shell, mask = (data[name] for name in ("bvalues", "directions", "shell", "mask"))
            result["responses"] = self.transform(data[key], bvalues, directions, shell, mask, given)
            result["response_source"] = {t: "file" if t in files else "estimated" for t in self.transform.tissues}
        return result


def _from_file(path: str, data: Mapping[Hashable, Any]) -> Tensor:
    """Response of a file: one row for each shell, the one of b = 0 first or left out, as single-shell methods do."""
    response = read_response(path)
    rows, shells = torch.as_tensor(response.coefficients, dtype=torch.float64), data["shells"].tolist()
    stated = response.shells
    fits = [
        len(rows) == len(wanted) and (stated is None or bool((abs(stated - wanted) <= _TOLERANCE).all()))
        for wanted in (shells, shells[1:])
    ]
    if not any(fits):
        found = f"{len(rows)} rows" if stated is None else f"shells {[round(b) for b in stated]} s/mm^2"
        raise InputFileError(
            "the response has other shells than the scan",
            file=path,
            subject=str(data.get("subject", "")),
            found=found,
            expected=f"{len(shells)} rows, one for each shell {[round(b) for b in shells]} s/mm^2 (or without b = 0)",
            remedy="estimate the response from this scan, or remove the file to have it estimated",
        )
    return rows


TissueResponsesD = TissueResponsesDict = TissueResponsesd
