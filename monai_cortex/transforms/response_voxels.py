"""Voxels that responses are taken from: single fibers, gray matter and fluid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.errors import GradientError
from monai_cortex.geometry.tensor_fit import DIRECTIONS, GAUSSIAN, TensorFit, fit_tensor, tensor_volumes
from monai_cortex.geometry.threshold import best_threshold

__all__ = ["Choice", "Volumes", "decay_voxels", "highest", "low_shell_tensor", "tensor_voxels"]

_LEAST, _ENOUGH, _MOST = 10, 20, 300  # voxels that a response is taken from
_SHARE, _FEW = 0.1, 0.01  # of the voxels that qualify; few voxels of white matter hold a single fiber
_MEASUREMENTS = 2000  # in which noise at SNR 30 leaves an error of 1 % in degree 2
_WATER, _SOLID = 2.0e-3, 1.5e-3  # mm^2/s, mean diffusivity above which is fluid, below which is tissue
_ANISOTROPIC = 0.2  # fractional anisotropy below which tissue counts as isotropic


class Volumes(NamedTuple):
    """Signal ``(P, N)`` of P voxels, b-values in s/mm^2 ``(N,)``, directions ``(N, 3)``, numbers of shells ``(N,)``."""

    signal: Tensor
    bvalues: Tensor
    directions: Tensor
    shell: Tensor

    def part(self, kept: Tensor) -> Volumes:
        """Some of the volumes, ``kept`` being ``(N,)`` bool."""
        return Volumes(self.signal[:, kept], self.bvalues[kept], self.directions[kept], self.shell[kept])

    def low(self) -> Tensor:
        """Volumes that a tensor describes, see :func:`monai_cortex.geometry.tensor_fit.tensor_volumes`."""
        return tensor_volumes(self.bvalues, self.shell)

    def water(self) -> float:
        """Mean diffusivity above which is fluid, in mm^2/s: on high shells noise hides how fast its signal decays."""
        return _WATER * min(1.0, GAUSSIAN / float(self.bvalues[self.low()].max()))

    def fibers(self, solid: int) -> float:
        """Share of the solid voxels to take a fiber's response from: 2000 measurements, between 1 and 10 %."""
        return min(max(_MEASUREMENTS / int((self.shell > 0).sum()) / max(solid, 1), _FEW), _SHARE)

    def solid(self, diffusivity: Tensor) -> Tensor:
        """Voxels of tissue by their mean diffusivity in mm^2/s, ``(P,)`` bool."""
        return (diffusivity > 0) & (diffusivity < min(_SOLID, self.water()))


class Choice(NamedTuple):
    """Numbers of the chosen voxels ``(K,)`` and, of fibers, their unit axes ``(K, 3)``."""

    voxels: Tensor
    axes: Tensor | None = None


Chooser = Callable[[Volumes], Mapping[str, Choice]]


def tensor_voxels(volumes: Volumes) -> dict[str, Choice]:
    """Choose by a diffusion tensor.

    Args:
        volumes: signal, gradients and shells.

    Returns:
        By tissue: "wm", of the solid voxels (mean diffusivity below 1.5e-3 mm^2/s) those of highest fractional
        anisotropy, between a hundredth and a tenth, as many as give 2000 measurements; "gm", the tenth of those below
        0.2 of lowest anisotropy; "csf", the tenth of the fluid ones (above 2e-3 mm^2/s, less where the lowest shell is
        above 1500 s/mm^2) of highest diffusivity; 20 to 300 voxels each. A tissue is left out where fewer than ten
        qualify.
    """
    anisotropy, diffusivity, axis = low_shell_tensor(volumes)
    solid, isotropic = volumes.solid(diffusivity), anisotropy < _ANISOTROPIC
    white = highest(anisotropy, solid, volumes.fibers(int(solid.sum())))
    gray = highest(-anisotropy, solid & isotropic)
    fluid = highest(diffusivity, isotropic & (diffusivity > volumes.water()))
    chosen = {"wm": Choice(white, axis[white]), "gm": Choice(gray), "csf": Choice(fluid)}
    return {tissue: choice for tissue, choice in chosen.items() if len(choice.voxels)}


def decay_voxels(volumes: Volumes) -> dict[str, Choice]:
    r"""Choose white matter by a diffusion tensor, the isotropic tissues by the decay of their signal.

    The decay of a voxel is the mean over the weighted shells of :math:`\ln(S_0 / S_b)`. Where isotropic voxels
    (fractional anisotropy below 0.2) are split in two by it, the high class is fluid if its diffusivity is that of
    fluid, the low one is gray matter. Of each class, mixtures with other tissue are split off the same way.

    Args:
        volumes: signal, gradients and shells.

    Returns:
        By tissue: "wm" as :func:`tensor_voxels`, "gm", the tenth of decays nearest the class's median, "csf", the
        tenth of the highest decays; 20 to 300 voxels each. A tissue is left out where fewer than ten are left after the
        splits.

    Reference:
        After Dhollander et al., ISMRM Workshop on Breaking the Barriers of Diffusion MRI, 2016, 5; ISMRM 2019, 555.
    """
    chosen = {tissue: choice for tissue, choice in tensor_voxels(volumes).items() if tissue == "wm"}
    anisotropy, diffusivity, _ = low_shell_tensor(volumes)
    decay = _decay(volumes)
    isotropic = (anisotropy < _ANISOTROPIC) & decay.isfinite()
    fluid = _above(decay, isotropic)
    pure = _above(decay, fluid)
    if pure.sum() >= _LEAST and diffusivity[pure].median() > volumes.water():
        chosen["csf"] = Choice(highest(decay, pure))
        isotropic = isotropic & ~fluid
    isotropic = isotropic & volumes.solid(diffusivity)
    if isotropic.sum() >= _LEAST:
        middle = decay[isotropic].median()
        pure = ~_above(decay, isotropic & (decay >= middle)) & ~_above(-decay, isotropic & (decay <= middle))
        chosen["gm"] = Choice(highest(-(decay - middle).abs(), isotropic & pure))
    return {tissue: choice for tissue, choice in chosen.items() if len(choice.voxels)}


def _above(values: Tensor, candidates: Tensor) -> Tensor:
    """Candidates of the high one of two classes, ``(P,)`` bool."""
    return candidates & (values > best_threshold(values[candidates])) if candidates.any() else candidates


def low_shell_tensor(volumes: Volumes) -> TensorFit:
    """Tensor of the volumes that one describes: to 1500 s/mm^2 or the lowest shell.

    Raises:
        GradientError: if there are too few directions.
    """
    low = volumes.part(volumes.low())
    try:
        return fit_tensor(low.signal, low.bvalues, low.directions)
    except ValueError as error:
        raise GradientError(
            "too few directions to estimate responses from",
            found=f"{int((low.shell > 0).sum())} weighted volumes",
            expected=f"{DIRECTIONS} directions that differ, for a tensor",
            remedy="give response files (response_wm.txt, ...) beside dwi.nii.gz",
        ) from error


def highest(score: Tensor, candidates: Tensor, share: float = _SHARE, most: int = _MOST) -> Tensor:
    """Numbers of the candidates with the highest scores, the highest first; none where there are fewer than ten.

    Args:
        score: ``(P,)``.
        candidates: ``(P,)`` bool.
        share: of the candidates that are chosen, at least 20.
        most: largest number of them.
    """
    index = candidates.nonzero()[:, 0]
    count = min(max(int(share * len(index)), _ENOUGH), most) if len(index) >= _LEAST else 0
    return index[score[index].argsort(descending=True, stable=True)[:count]]


def _decay(volumes: Volumes) -> Tensor:
    """Mean logarithm of the decay, ``(P,)``; not finite where a shell has no signal."""
    numbers = range(int(volumes.shell.max()) + 1)
    means = torch.stack([volumes.signal[:, volumes.shell == number].mean(1) for number in numbers])
    return (means[:1] / means[1:]).log().mean(0)
