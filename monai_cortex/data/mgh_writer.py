"""FreeSurfer's volumes, MGH and MGZ."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike

from .affine import is_usable
from .atomic import atomic_path

__all__ = ["write_mgh"]


def write_mgh(path: str | os.PathLike[str], values: ArrayLike, affine: ArrayLike) -> None:
    """Write a volume as float32, whole or not at all; equal inputs give equal bytes.

    Args:
        path: final name, ``.mgz`` or ``.mgh``.
        values: voxels, ``(I, J, K)`` or ``(I, J, K, N)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``; the format holds it in float32.

    Raises:
        ValueError: for another suffix, another number of axes, values that are not finite, or an affine that is not
            invertible.
        ResourceError: the disk is full.
    """
    path, voxels, matrix = Path(path), np.asarray(values, np.float32), np.asarray(affine, np.float64)
    if path.suffix not in (".mgz", ".mgh"):
        raise ValueError(f"a FreeSurfer volume is written as .mgz or .mgh, got {path.name!r}; change the name.")
    if voxels.ndim not in (3, 4) or not voxels.size or not np.isfinite(voxels).all():
        raise ValueError(f"need finite voxels (I, J, K) or (I, J, K, N), got another kind, of shape {voxels.shape}.")
    if not is_usable(matrix):
        raise ValueError(f"need a finite, invertible affine, got {matrix.tolist()}; pass the grid's own.")
    kind: Any = nib.MGHImage
    image = kind(voxels, matrix)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        if path.suffix == ".mgz":
            # No name and no time in the wrapper: equal images are equal files.
            with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(stream)
