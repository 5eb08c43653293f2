"""Fibers of simulated scans, known in every voxel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from monai_cortex.errors import InputFileError

from .nifti import read_volume

__all__ = ["read_known_fibers"]


def read_known_fibers(path: str | os.PathLike[str], grid: Sequence[int], subject: str = "") -> NDArray[Any]:
    """Read ``truth_fibers.nii.gz``.

    Args:
        path: file of ``(I, J, K, 3 * B)``.
        grid: of the scan, ``(I, J, K)``.
        subject: for messages.

    Returns:
        Direction times volume fraction of B fibers in world axes, ``(I, J, K, B, 3)``.

    Raises:
        InputFileError: the file is damaged, on another grid, or holds no vectors.
    """
    values = read_volume(path, ndim=4, subject=subject, constant=True).values
    if values.shape[:3] != tuple(grid) or values.shape[3] % 3:
        raise InputFileError(
            "the known fibers do not fit the scan",
            file=path,
            subject=subject,
            found=f"{values.shape[3]} volumes on {values.shape[:3]} voxels",
            expected=f"three volumes a fiber on {tuple(grid)}",
            remedy="simulate the scan again, or remove the file",
        )
    return values.reshape(*values.shape[:3], -1, 3)
