"""Volumes as NIfTI files: written whole or not at all, equal inputs as equal bytes."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .affine import is_usable
from .atomic import atomic_path
from .sidecar import write_sidecar

__all__ = ["write_volume"]


def write_volume(
    path: str | os.PathLike[str],
    values: ArrayLike,
    affine: ArrayLike,
    sidecar: Mapping[str, Any] | None = None,
    *,
    dtype: DTypeLike = np.float32,
    intent: str = "none",
) -> None:
    """Write a NIfTI-1 image atomically, and its record beside it as ``<name>.json``.

    Args:
        path: final name, ``.nii`` or ``.nii.gz``.
        values: voxels, ``(I, J, K)``, ``(I, J, K, N)``, or vectors ``(I, J, K, 1, N)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``; declared as sform and, unless it shears, as qform too.
        sidecar: what to say of the image; the file's sha256 is added. None writes no record.
        dtype: of the voxels on disk.
        intent: NIfTI intent, for instance "vector".

    Raises:
        ValueError: for another suffix, an affine that is not invertible, or values that the dtype cannot hold.
        ResourceError: the disk is full.
    """
    path = Path(path)
    _, dot, compressed = path.name.partition(".nii")
    if not dot or compressed not in ("", ".gz"):
        raise ValueError(f"an image is written as .nii or .nii.gz, got {path.name!r}; change the name.")
    if not is_usable(affine):
        raise ValueError(f"need a finite, invertible affine, got {np.asarray(affine).tolist()}; pass the grid's own.")
    image = _image(_cast(np.asarray(values), np.dtype(dtype)), np.asarray(affine, np.float64), intent)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        if compressed:
            # No name and no time in the wrapper: equal images are equal files.
            with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(stream)
    if sidecar is not None:
        write_sidecar(path, sidecar)


def _cast(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    if not np.isfinite(values).all() or values.min() < limits.min or values.max() > limits.max:
        raise ValueError(
            f"{dtype.name} holds {limits.min} to {limits.max}, got {values.min():g} to {values.max():g}; "
            "clip the values, or choose another dtype."
        )
    return np.round(values).astype(dtype)


def _image(values: NDArray[Any], affine: NDArray[np.float64], intent: str) -> Any:  # noqa: ANN401
    kind: Any = nib.Nifti1Image
    image = kind(values, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    # A qform cannot shear: readers that look at both must not find two affines.
    if not np.allclose(image.header.get_qform(), affine, rtol=1e-4, atol=1e-4):
        image.header["qform_code"] = 0
    image.header.set_xyzt_units("mm")
    image.header.set_intent(intent)
    return image
