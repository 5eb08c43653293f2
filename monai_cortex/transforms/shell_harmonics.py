"""Harmonics of every shell: the input of spherical networks, whatever the directions of the scan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from torch import Tensor

from monai_cortex.errors import GradientError
from monai_cortex.geometry.harmonics import even_count, fit_degree
from monai_cortex.geometry.response import shell_harmonics

__all__ = ["ShellHarmonics", "ShellHarmonicsD", "ShellHarmonicsDict", "ShellHarmonicsd"]

_TOLERANCE = 80.0  # s/mm^2, within which a shell counts as the trained one


class ShellHarmonics(Transform):
    """Fit even harmonics to each shell, smoothed where there are few directions.

    Args:
        shells: b-values that the network was trained for in s/mm^2, 0 first; None takes any.
        degree: largest even degree of a shell; lowered for a shell of few directions to the largest whose coefficients
            number at most 95 % of them.

    Raises:
        GradientError: if the scan has other shells than the trained ones.

    Reference:
        Descoteaux et al., Magn. Reson. Med. 58(3):497-510, 2007.
    """

    def __init__(self, shells: Sequence[float] | None = None, degree: int = 8) -> None:
        self.shells, self.degree = shells, degree

    def __call__(self, dwi: Tensor, directions: Tensor, shell: Tensor, shells: Tensor) -> Tensor:
        """Return coefficients ``(S * n, I, J, K)`` in the signal's unit, n = (degree + 1)(degree + 2)/2 a shell.

        Args:
            dwi: signal ``(N, I, J, K)``.
            directions: unit vectors ``(N, 3)``.
            shell: number of each volume's shell ``(N,)``.
            shells: b-values of the shells ``(S,)`` in s/mm^2.
        """
        self._check(shells.tolist())
        degrees = [0] + [min(self.degree, fit_degree(int((shell == k).sum()))) for k in range(1, len(shells))]
        matrix = shell_harmonics(even_count(self.degree), directions, shell, degrees)
        return torch.einsum("cn,nijk->cijk", matrix.to(dwi), dwi)

    def _check(self, found: list[float]) -> None:
        trained = found if self.shells is None else list(self.shells)
        same = len(found) == len(trained) and all(
            abs(a - b) <= _TOLERANCE for a, b in zip(sorted(found), sorted(trained), strict=True)
        )
        if not same:
            raise GradientError(
                "the scan has other shells than the network was trained for",
                found=f"b = {[round(b) for b in found]} s/mm^2",
                expected=f"b = {trained} s/mm^2, each within {_TOLERANCE:.0f}",
                remedy=f'train on this protocol: add --shells "{[round(b) for b in found]}" to train.json\'s command',
            )


class ShellHarmonicsd(MapTransform):
    """Dictionary version of :class:`ShellHarmonics`: adds ``features``.

    Reads ``directions``, ``shell``, ``shells`` and, where present, ``inputs``, the volumes to use ``(M,)``.

    Args:
        keys: the key of the signal ``(N, I, J, K)``, normally ``dwi``.
        shells, degree: see :class:`ShellHarmonics`; b-values in s/mm^2.
        allow_missing_keys: skip items without the key.
    """

    def __init__(
        self,
        keys: KeysCollection = "dwi",
        shells: Sequence[float] | None = None,
        degree: int = 8,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = ShellHarmonics(shells, degree)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            inputs = data.get("inputs", slice(None))
            dwi, directions, shell = (data[name][inputs] for name in (key, "directions", "shell"))
            result["features"] = self.transform(dwi, directions, shell, data["shells"])
        return result


ShellHarmonicsD = ShellHarmonicsDict = ShellHarmonicsd
