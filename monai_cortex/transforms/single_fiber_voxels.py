"""Single fibers by the ratio of the two highest peaks of constrained spherical deconvolution."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from monai_cortex.geometry.peaks import fiber_peaks
from monai_cortex.geometry.response import fiber_response
from monai_cortex.transforms.constrained_deconvolution import ConstrainedDeconvolution
from monai_cortex.transforms.response_voxels import (
    Choice,
    Volumes,
    highest,
    low_shell_tensor,
    tensor_voxels,
)

__all__ = ["SingleFiberVoxels"]

_CANDIDATES = 1000
_ROUNDS = 10
_DEGREE = 8


class SingleFiberVoxels:
    r"""Choose white matter by the score :math:`\sqrt{a_1} (1 - a_2 / a_1)^2` of the two highest peaks.

    From the response of the voxels with the highest anisotropy, deconvolution (by dipy), choice and response follow
    each other until the choice stays the same. Candidates are the tenth of the solid voxels of highest anisotropy, at
    most 1000; a tenth of them is chosen, 20 to 300.

    Args:
        volumes: signal, gradients and shells, of which b = 0 and the highest are used.

    Raises:
        ConfigError: where dipy is not installed.

    Reference:
        Tournier, Calamante, Connelly, NMR Biomed. 26(12):1775-1786, 2013.
    """

    def __init__(self, volumes: Volumes) -> None:
        tensor = low_shell_tensor(volumes)
        self.candidates = highest(tensor.anisotropy, volumes.solid(tensor.diffusivity), most=_CANDIDATES)
        best = _best(tensor.anisotropy[self.candidates])
        axes = tensor.axis[self.candidates[best]]
        for _ in range(_ROUNDS if len(best) else 0):
            signal = volumes.signal[self.candidates[best]]
            self.response = fiber_response(signal, volumes.directions, volumes.shell, axes, _DEGREE)
            previous = set(best.tolist())
            best, axes = self._single(volumes)
            if set(best.tolist()) == previous:
                break

    def __call__(self, volumes: Volumes) -> dict[str, Choice]:
        """Choose from these volumes with the response of all; isotropic tissues as :func:`tensor_voxels`."""
        chosen = tensor_voxels(volumes)
        if len(self.candidates):
            best, axes = self._single(volumes)
            chosen["wm"] = Choice(self.candidates[best], axes)
        return chosen

    def _single(self, volumes: Volumes) -> tuple[Tensor, Tensor]:
        """Which candidates have the best scores, and the directions of their highest peaks."""
        shell = volumes.shell
        signal, bvalues, directions, _ = volumes.part((shell == 0) | (shell == shell.max()))
        images = signal[self.candidates].T[..., None, None]
        mask = torch.ones(1, len(self.candidates), 1, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of more coefficients than directions: they are constrained
            deconvolve = ConstrainedDeconvolution(_DEGREE)
            fibers = deconvolve(images, bvalues, directions, self.response[[0, -1]][None], mask)
        peaks = fiber_peaks(fibers[..., 0, 0], 2, 0.0)
        first, second = peaks.amplitudes.unbind(1)
        best = _best(first.sqrt() * (1 - second / first.clamp_min(torch.finfo(first.dtype).tiny)) ** 2)
        return best, peaks.directions[best, 0].to(directions)


def _best(score: Tensor) -> Tensor:
    """Numbers of the best tenth, ``(K,)``."""
    return highest(score, torch.ones_like(score, dtype=torch.bool))
