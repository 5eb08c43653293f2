"""Deconvolution by other programs, on the files of a subject.

Responses are estimated from the scan by every method. The peaks of all methods but one are found by the same function
from coefficients of degree 8; RUMBA-SD has samples on a sphere instead, and dipy finds its peaks there.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from monai.transforms import Compose
from torch import Tensor

from monai_cortex.data import diffusion_subjects, read_volume
from monai_cortex.geometry.peaks import fiber_peaks
from monai_cortex.metrics import fiber_detection
from monai_cortex.transforms import (
    ConstrainedDeconvolutiond,
    DeconvolutionDesignd,
    LoadDiffusiond,
    TissueResponsesd,
)

__all__ = [
    "FODS",
    "PEERS",
    "peer_peaks",
    "read_map",
    "score",
    "score_subject",
    "true_fibers",
]

_LEAST, _SEPARATION, _NUMBER = 0.04, 15.0, 10  # relative amplitude, degree


def peaks_of(coefficients: Tensor, mask: Tensor) -> Tensor:
    """Peaks of even harmonics ``(n, I, J, K)`` in the voxels of a mask ``(I, J, K)``, ``(voxels, 10, 3)``."""
    found = fiber_peaks(coefficients[:, mask], _NUMBER, _LEAST, _SEPARATION)
    return found.directions * found.amplitudes[..., None]


def read_map(path: Path) -> Tensor:
    """Volumes of a file, channels first ``(C, I, J, K)``."""
    return torch.as_tensor(read_volume(path, ndim=4).values).movedim(-1, 0)


def true_fibers(folder: Path) -> tuple[Tensor, Tensor]:
    """White matter of a simulated subject ``(I, J, K)`` and the fibers in its voxels ``(voxels, B, 3)``."""
    mask = read_map(folder / "truth_tissues.nii.gz")[0] > 0
    return mask, read_map(folder / "truth_fibers.nii.gz").unflatten(0, (-1, 3))[:, :, mask].permute(2, 0, 1)


def score(peaks: Tensor, fibers: Tensor, numbers: Sequence[str]) -> dict[str, float]:
    """Numbers of :func:`monai_cortex.metrics.fiber_detection` by name."""
    found = fiber_detection(peaks, fibers)
    return {number: getattr(found, number) for number in numbers}


def score_subject(folder: Path, wmfod: Path, numbers: Sequence[str]) -> dict[str, float]:
    """Compare a file of orientation distributions with the truth of a simulated subject."""
    mask, fibers = true_fibers(folder)
    return score(peaks_of(read_map(wmfod), mask), fibers, numbers)


def peer_peaks(name: str, folder: Path, mask: Tensor) -> Tensor:
    """Peaks in the voxels of a mask ``(I, J, K)`` by one of PEERS, ``(voxels, 10, 3)`` in world axes."""
    return peaks_of(FODS[name](folder), mask) if name in FODS else rumba_tv(folder, mask)


def dipy_csd(folder: Path) -> Tensor:
    """Constrained spherical deconvolution of dipy with the project's estimate of the response."""
    steps = [LoadDiffusiond(), TissueResponsesd(), DeconvolutionDesignd(), ConstrainedDeconvolutiond()]
    white_matter_and_fluid: Tensor = Compose(steps)(diffusion_subjects(folder)[0])["csd"]
    return white_matter_and_fluid[:-1]


def mrtrix_csd(folder: Path) -> Tensor:
    """``dwi2response tournier`` and ``dwi2fod csd`` of MRtrix3."""
    with TemporaryDirectory() as place:
        _mrtrix(folder, place, "dwi2response", "tournier", "IN", "wm.txt")
        _mrtrix(folder, place, "dwi2fod", "csd", "IN", "wm.txt", "fod.nii.gz")
        return read_map(Path(place) / "fod.nii.gz")


def mrtrix_msmt_csd(folder: Path) -> Tensor:
    """``dwi2response dhollander`` and ``dwi2fod msmt_csd`` of MRtrix3."""
    names = ["wm.txt", "gm.txt", "csf.txt"]
    pairs = [word for name in names for word in (name, name.replace(".txt", ".nii.gz"))]
    with TemporaryDirectory() as place:
        _mrtrix(folder, place, "dwi2response", "dhollander", "IN", *names)
        _mrtrix(folder, place, "dwi2fod", "msmt_csd", "IN", *pairs)
        return read_map(Path(place) / "wm.nii.gz")


def rumba_tv(folder: Path, mask: Tensor) -> Tensor:
    """RUMBA-SD with total variation of dipy, 200 directions and its default of 600 iterations."""
    from dipy.core.gradients import gradient_table  # noqa: PLC0415 (optional)
    from dipy.data import get_sphere  # noqa: PLC0415
    from dipy.direction import peak_directions  # noqa: PLC0415
    from dipy.reconst.csdeconv import auto_response_ssst  # noqa: PLC0415
    from dipy.reconst.rumba import RumbaSDModel  # noqa: PLC0415

    data = Compose([LoadDiffusiond()])(diffusion_subjects(folder)[0])
    signal = data["dwi"].movedim(0, -1).numpy().astype(np.float64)
    table = gradient_table(data["bvalues"].numpy(), bvecs=data["directions"].numpy())
    sphere = get_sphere(name="repulsion200")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (eigenvalues, _), _ = auto_response_ssst(table, signal, roi_radii=10, fa_thr=0.7)
        options = {"voxelwise": False, "use_tv": True, "sphere": sphere}
        model = RumbaSDModel(table, wm_response=eigenvalues, gm_response=None, csf_response=0.003, **options)
        odf = model.fit(signal, mask=np.ones(signal.shape[:3], bool)).odf(sphere=sphere)
    result = torch.zeros(int(mask.sum()), _NUMBER, 3)
    for row, values in zip(result, odf[mask.numpy()], strict=True):
        directions, amplitudes, _ = peak_directions(
            values, sphere, relative_peak_threshold=_LEAST, min_separation_angle=_SEPARATION
        )
        count = min(_NUMBER, len(amplitudes))
        row[:count] = torch.as_tensor(directions[:count] * amplitudes[:count, None])
    return result


# Coefficients (45, I, J, K) of a subject.
FODS = {"dipy CSD": dipy_csd, "MRtrix3 csd": mrtrix_csd, "MRtrix3 msmt_csd": mrtrix_msmt_csd}
PEERS = (*FODS, "RUMBA-TV (dipy)")


def _mrtrix(folder: Path, place: str, *words: str) -> None:
    command = [str(folder / "dwi.nii.gz") if word == "IN" else word for word in words]
    gradients = ["-fslgrad", str(folder / "dwi.bvec"), str(folder / "dwi.bval")]
    options = ["-mask", str(folder / "mask.nii.gz"), "-nthreads", "1", "-quiet"]
    subprocess.run([*command, *gradients, *options], cwd=place, check=True)
