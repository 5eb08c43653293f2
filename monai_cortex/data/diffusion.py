"""One subject's diffusion MRI: image, gradients and mask, read together and held against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import ConfigError, CortexError, GeometryError, InputFileError

from .affine import affine_gap
from .gradients import GradientTable, read_fsl_gradients
from .nifti import Volume, read_volume
from .response import read_response
from .subjects import diffusion_subjects

__all__ = ["DiffusionScan", "check_dataset", "check_diffusion", "read_diffusion"]

_GRID_GAP = 0.1


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
        item: ``subject``, paths ``dwi``, ``bval``, ``bvec`` and optionally ``mask``. Without a mask all voxels with a
            positive mean signal at b = 0 are used.
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
    table = read_fsl_gradients(item["bval"], item["bvec"], image.affine, len(signal), subject)
    finite = np.isfinite(signal).all(0)
    if not finite.all():
        signal = np.where(finite, signal, np.float32(0))
    if "mask" in item:
        mask = _read_mask(item["mask"], image, subject)
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


def check_diffusion(dataset_dir: str | os.PathLike[str]) -> list[CortexError]:
    """Read all subjects of a dataset, and collect what is wrong with them; nothing is computed.

    Args:
        dataset_dir: folder of subjects.

    Returns:
        At most one error for each subject, in the order of the subjects.

    Raises:
        InputFileError: the folder is missing or holds no subject.
    """
    problems = (_problem(item) for item in diffusion_subjects(dataset_dir, strict=False))
    return [problem for problem in problems if problem is not None]


def check_dataset(slug: str, dataset_dir: str | os.PathLike[str]) -> tuple[int, list[CortexError]]:
    """Check the inputs of a method.

    Args:
        slug: name of the method.
        dataset_dir: folder of subjects.

    Returns:
        The number of subjects, and at most one error for each.

    Raises:
        ConfigError: no check is known for the method.
        InputFileError: the folder is missing or holds no subject.
    """
    if slug not in _CHECKS:
        raise ConfigError(
            f"there is no input check for {slug!r}",
            found=slug,
            expected=", ".join(_CHECKS),
            remedy="name one of these methods",
        )
    subjects, check = _CHECKS[slug]
    return len(subjects(dataset_dir, strict=False)), check(dataset_dir)


_CHECKS = {"shd_deconvolution": (diffusion_subjects, check_diffusion)}


def _problem(item: Mapping[str, str]) -> CortexError | None:
    try:
        read_diffusion(item)
        for key in item:
            if key.startswith("response_"):
                read_response(item[key], item["subject"])
    except CortexError as error:
        return error
    return None


def _read_mask(path: str, image: Volume, subject: str) -> NDArray[np.bool_]:
    mask = read_volume(path, ndim=3, subject=subject, constant=True)
    _require_same_grid(mask, image, path, subject)
    values = np.unique(mask.values)
    if values[0] < 0 or not set(values[:-1]) <= {0}:
        raise InputFileError(
            "the mask is not binary",
            file=path,
            subject=subject,
            found=f"{len(values)} different values from {values[0]:g} to {values[-1]:g}",
            expected="0 outside and one positive value inside",
            remedy="threshold the mask",
        )
    if values[-1] == 0:
        raise InputFileError(
            "the mask is empty",
            file=path,
            subject=subject,
            found="0 in every voxel",
            expected="a positive value inside the brain",
            remedy="make the mask again, or remove the file to use all voxels with signal",
        )
    return mask.values > 0


def _require_same_grid(mask: Volume, image: Volume, path: str, subject: str) -> None:
    shape = image.values.shape[:3]
    if mask.values.shape != shape:
        raise GeometryError(
            "mask and image differ in shape",
            file=path,
            subject=subject,
            found=f"mask {mask.values.shape}",
            expected=f"{shape}, the shape of the image",
            remedy="resample the mask to the image",
        )
    gap = affine_gap(image.affine, mask.affine, shape)
    if gap > _GRID_GAP:
        raise GeometryError(
            "mask and image lie on different grids",
            file=path,
            subject=subject,
            found=f"corners up to {gap:.3g} voxels apart",
            expected=f"the same affine within {_GRID_GAP} voxels",
            remedy="resample the mask to the image",
        )
