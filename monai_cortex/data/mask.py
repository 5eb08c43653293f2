"""Masks: binary images on the grid of another."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError

from .nifti import read_volume
from .same_grid import require_same_grid
from .voxels import Volume

__all__ = ["read_mask"]


def read_mask(path: str | os.PathLike[str], image: Volume, subject: str = "") -> NDArray[np.bool_]:
    """Read a mask that belongs to an image.

    Args:
        path: of the mask.
        image: whose first three axes the mask shares.
        subject: identifier for messages.

    Returns:
        Voxels inside, ``(I, J, K)``.

    Raises:
        InputFileError: the file is damaged, not binary or empty.
        GeometryError: the mask lies on another grid.
    """
    mask = read_volume(path, ndim=3, subject=subject, constant=True)
    require_same_grid(mask, image, path, subject)
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
