"""One subject's diffusion MRI: image, gradients and mask, read together and held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import ConfigError, InputFileError

from .gradient_axes import check_gradient_axes
from .gradients import GradientTable, read_fsl_gradients
from .known_fibers import read_known_fibers
from .mask import read_mask
from .mrtrix_gradients import read_mrtrix_gradients
from .nifti import read_volume
from .response import read_response
from .voxels import Volume

__all__ = ["DiffusionScan", "read_diffusion_inputs", "read_diffusion"]


class DiffusionScan(NamedTuple):
    """A scan of N volumes.

    Args:
        signal: ``(N, I, J, K)``, in the scanner's unit.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
        table: b-values and world directions of the volumes.
        mask: voxels to use, ``(I, J, K)``.
        subject: identifier.
        nonfinite: number of voxels taken out of the mask because a volume is NaN or infinite there.
    """

    signal: NDArray[np.float32]
    affine: NDArray[np.float64]
    table: GradientTable
    mask: NDArray[np.bool_]
    subject: str
    nonfinite: int = 0


def read_diffusion(item: Mapping[Any, Any], nonfinite: str = "error") -> DiffusionScan:
    """Read what an item of :func:`diffusion_subjects` names.

    Args:
        item: ``subject``, paths ``dwi``, ``bval`` and ``bvec`` (or ``gradients``, an MRtrix table) and optionally
            ``mask``. Without a mask all voxels with a positive mean signal at b = 0 are used.
        nonfinite: "error", or "mask" to take voxels with NaN or infinite signal out of the mask and set them to 0.

    Raises:
        InputFileError: a file is damaged, or the mask is not binary or empty.
        GradientError: the gradient table cannot be right or does not fit the image.
        GeometryError: the mask lies on another grid than the image.
        ResourceError: the image does not fit into memory.
    """
    if nonfinite not in ("error", "mask"):
        raise ConfigError(
            "nonfinite cannot be used", found=nonfinite, expected='"error" or "mask"', remedy="set one of the two"
        )
    subject = str(item.get("subject", ""))
    policy = "keep" if nonfinite == "mask" else "error"
    image = read_volume(item["dwi"], ndim=4, subject=subject, nonfinite=policy)
    signal = np.ascontiguousarray(np.moveaxis(image.values, -1, 0))
    table = _read_gradients(item, image, subject)
    finite = np.isfinite(signal).all(0)
    if not finite.all():
        signal = np.where(finite, signal, np.float32(0))
    if "mask" in item:
        mask = read_mask(item["mask"], image, subject)
    else:
        mask = (signal[~table.directions.any(1)].mean(0) > 0) | ~finite
    scan = DiffusionScan(signal, image.affine, table, mask & finite, subject, int((mask & ~finite).sum()))
    if not scan.mask.any():
        raise InputFileError(
            "no voxel is left to use",
            file=item["dwi"],
            subject=subject,
            found=f"{int(mask.sum())} voxels in the mask, {scan.nonfinite} of them not finite",
            expected="voxels in the mask with a finite signal, positive at b = 0",
            remedy="check the image and its mask",
        )
    return scan


def read_diffusion_inputs(item: Mapping[str, str]) -> None:
    """Read all files of a subject, and hold the axes of its gradients against its fibers.

    Args:
        item: one of :func:`monai_cortex.data.diffusion_subjects`.

    Raises:
        CortexError: the first thing that is wrong with its files.
    """
    scan = read_diffusion(item, "mask")
    file = item.get("bvec", item.get("gradients", ""))
    fibers = _main_fibers(item, scan.mask.shape)
    check_gradient_axes(scan.signal, scan.affine, scan.table, scan.mask, fibers, file=file, subject=scan.subject)
    for key in item:
        if key.startswith("response_"):
            read_response(item[key], item["subject"])


def _main_fibers(item: Mapping[str, str], grid: tuple[int, ...]) -> NDArray[Any] | None:
    """The largest known fiber in each voxel ``(I, J, K, 3)``, of simulated scans."""
    if "truth_fibers" not in item:
        return None
    fibers = read_known_fibers(item["truth_fibers"], grid, item["subject"])
    largest = np.linalg.norm(fibers, axis=-1).argmax(-1)
    return np.take_along_axis(fibers, largest[..., None, None], 3)[..., 0, :]


def _read_gradients(item: Mapping[Any, Any], image: Volume, subject: str) -> GradientTable:
    volumes = image.values.shape[-1]
    if "gradients" in item:
        return read_mrtrix_gradients(item["gradients"], volumes, subject)
    return read_fsl_gradients(item["bval"], item["bvec"], image.affine, volumes, subject)
