"""Streamlines as TRK and TCK files: written whole or not at all, equal inputs as equal bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import aff2axcodes
from nibabel.streamlines import TckFile, Tractogram, TrkFile
from numpy.typing import ArrayLike, NDArray

from monai_cortex.errors import InputFileError

from .affine import is_usable
from .atomic import atomic_path
from .input_file import read_head

__all__ = ["read_streamlines", "write_streamlines"]


def write_streamlines(
    path: str | os.PathLike[str], streamlines: Sequence[ArrayLike], affine: ArrayLike, shape: Sequence[int]
) -> None:
    """Write streamlines as TrackVis's ``.trk`` or MRtrix's ``.tck``; an older file stays whole until this one is.

    Args:
        path: name that ends in ``.trk`` or ``.tck``.
        streamlines: points of each in RAS+ mm, ``(P, 3)``, stored as float32.
        affine: voxel indices of the image they belong to, to RAS+ mm, ``(4, 4)``; kept by ``.trk`` only.
        shape: of that image's grid, ``(I, J, K)``; kept by ``.trk`` only.

    Raises:
        ValueError: for another suffix, an affine that is not invertible, or points that are not ``(P, 3)`` and finite.
        ResourceError: the disk is full.
    """
    path, grid = Path(path), np.asarray(affine, np.float64)
    lines = [np.asarray(line, np.float32) for line in streamlines]
    if path.suffix not in (".trk", ".tck"):
        raise ValueError(f"streamlines are written as .trk or .tck, got {path.name!r}; change the name.")
    if not is_usable(grid):
        raise ValueError(f"need a finite, invertible affine, got {grid.tolist()}; pass the image's own.")
    if not all(len(line) and line.shape[1:] == (3,) and np.isfinite(line).all() for line in lines):
        raise ValueError("a streamline needs finite points (P, 3), P at least 1, got one of another kind.")
    tractogram = Tractogram(lines, affine_to_rasmm=np.eye(4))
    kind = TckFile(tractogram) if path.suffix == ".tck" else TrkFile(tractogram, _trackvis_header(grid, shape))
    with atomic_path(path) as temporary:
        kind.save(str(temporary))


def read_streamlines(path: str | os.PathLike[str]) -> list[NDArray[np.float32]]:
    """Read a ``.trk`` or ``.tck`` file.

    Args:
        path: of the file.

    Returns:
        Points of each streamline in RAS+ mm, ``(P, 3)``.

    Raises:
        InputFileError: the file is missing, cut short or of another kind.
    """
    read_head(path)
    try:
        return [np.array(line, np.float32) for line in nib.streamlines.load(str(path)).streamlines]
    except Exception as error:  # whatever nibabel stumbles over in a damaged file
        raise InputFileError(
            "streamlines cannot be read",
            file=path,
            found=str(error) or type(error).__name__,
            expected="a whole .trk or .tck file",
            remedy="make the file again",
        ) from error


def _trackvis_header(affine: NDArray[np.float64], shape: Sequence[int]) -> dict[str, object]:
    return {
        "voxel_to_rasmm": affine.astype(np.float32),
        "dimensions": np.asarray(shape[:3], np.int16),
        "voxel_sizes": np.linalg.norm(affine[:3, :3], axis=0).astype(np.float32),
        "voxel_order": "".join(aff2axcodes(affine)),
    }
