"""Volumes from NIfTI files, every check made before the voxels are believed."""

from __future__ import annotations

import logging
import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nibabel.arrayproxy import ArrayProxy
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError, ResourceError

from .image_file import Content, inspect_content
from .memory import OPTION, memory_limit
from .nifti_header import Layout, read_layout

__all__ = ["Volume", "read_volume"]

_log = logging.getLogger(__name__)
_POLICIES = ("error", "mask", "keep")
_NAME = re.compile(r"(.*)\.(nii|hdr|img)(\.gz)?", re.IGNORECASE)


class Volume(NamedTuple):
    """An image on its grid.

    Args:
        values: voxels ``(I, J, K)`` or ``(I, J, K, N)``.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]


def read_volume(
    path: str | os.PathLike[str],
    *,
    ndim: int | None = None,
    subject: str = "",
    nonfinite: str = "error",
    prefer: str = "",
    constant: bool = False,
) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 image, single file or pair, compressed or not.

    A compressed file is read once more, to its end, to verify its checksum. Shear in the sform is honored, an invalid
    pixdim is not looked at where an sform is declared, and units of m or micrometers become mm.

    Args:
        path: ``.nii``, ``.nii.gz``, or either file of a ``.hdr``/``.img`` pair.
        ndim: 3 or 4, the number of axes needed, a trailing axis of size 1 not counted; None takes both.
        subject: identifier for messages.
        nonfinite: "error" refuses NaN and infinite voxels, "mask" makes them 0 and logs their number, "keep" leaves
            them to the caller.
        prefer: "sform" or "qform" decides where both are declared and disagree; "" refuses.
        constant: accept an image that has the same value everywhere.

    Returns:
        Voxels as float32 and the affine.

    Raises:
        InputFileError: the file is missing, damaged, foreign or contradicts itself.
        ResourceError: the image needs more memory than the limit.
    """
    if nonfinite not in _POLICIES or prefer not in ("", "sform", "qform"):
        raise ValueError(
            f'need nonfinite in {_POLICIES} and prefer "", "sform" or "qform", got {nonfinite!r}, {prefer!r}.'
        )
    header_path, image_path = _pair(Path(path), subject)
    content = inspect_content(header_path, subject, memory_limit())
    layout = read_layout(content.head, header_path, subject, prefer)
    if image_path != header_path:
        content = inspect_content(image_path, subject, memory_limit())
    _require_whole(content, layout, image_path, subject)
    layout = layout._replace(shape=_shape(layout.shape, ndim, path, subject))
    values = _check_values(_load(image_path, layout, subject), nonfinite, path, subject)
    if not constant and values.min() == values.max():
        raise InputFileError(
            "the image is constant",
            file=path,
            subject=subject,
            found=f"{values.flat[0]:g} in every voxel",
            expected="an image with contrast",
            remedy="check how the image was exported",
        )
    return Volume(values, layout.affine)


def _pair(path: Path, subject: str) -> tuple[Path, Path]:
    """Files of the header and of the voxels."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise InputFileError(
            "not the name of a NIfTI image",
            file=path,
            subject=subject,
            found=path.suffix or "no suffix",
            expected=".nii, .hdr or .img, with or without .gz",
            remedy="convert the image to .nii.gz",
        )
    stem, kind, zipped = match.groups(default="")
    if kind.lower() == "nii":
        return path, path
    names = ("HDR", "IMG") if kind.isupper() else ("hdr", "img")
    return path.with_name(f"{stem}.{names[0]}{zipped}"), path.with_name(f"{stem}.{names[1]}{zipped}")


def _require_whole(content: Content, layout: Layout, path: Path, subject: str) -> None:
    """Compare what the header claims with what the file holds, before anything is allocated."""
    if content.size >= layout.end and content.complete:
        return
    problem = "truncated: the header claims more data than the file holds"
    if not content.complete:
        whole = content.size >= layout.end
        problem = "gzip trailer missing" if whole else "truncated: the compressed stream ends early"
    raise InputFileError(
        problem,
        file=path,
        subject=subject,
        found=f"the file holds {_bytes(content.size)}",
        expected=f"the header claims {_bytes(layout.end)} for {layout.shape} {layout.dtype.name}",
        remedy="copy or download the file again",
    )


def _shape(shape: tuple[int, ...], ndim: int | None, path: object, subject: str) -> tuple[int, ...]:
    least = ndim or 3
    core = shape
    while len(core) > least and core[-1] == 1:
        core = core[:-1]
    if len(core) != ndim if ndim else len(core) not in (3, 4):
        raise InputFileError(
            "wrong number of dimensions (ndim)",
            file=path,
            subject=subject,
            found=f"{len(core)} dimensions, shape {shape}",
            expected=f"{ndim or '3 or 4'} dimensions",
            remedy="select the volume needed, or check that files were not mixed up",
        )
    return core


def _load(path: Path, layout: Layout, subject: str) -> NDArray[np.float32]:
    voxels = math.prod(layout.shape)
    need, limit = voxels * (layout.dtype.itemsize + 8), memory_limit()
    try:
        if need > limit:
            raise MemoryError
        kind: Any = ArrayProxy
        proxy = kind(str(path), (layout.shape, layout.dtype, layout.offset, layout.slope, layout.intercept))
        with np.errstate(over="ignore", invalid="ignore"):
            # A copy: an uncompressed file would stay mapped, and change under the caller's hands.
            return np.array(np.asarray(proxy, dtype=np.float32), order="C")
    except MemoryError as error:
        raise ResourceError(
            "the image needs more memory than there is",
            file=path,
            subject=subject,
            found=f"{_bytes(need)} for {layout.shape} {layout.dtype.name}",
            expected=f"at most {_bytes(limit)}",
            remedy=f"crop or resample the image, or raise the limit {OPTION}",
        ) from error


def _check_values(values: NDArray[np.float32], policy: str, path: object, subject: str) -> NDArray[np.float32]:
    # The sum is finite where all voxels are; it costs no array of truth values.
    with np.errstate(over="ignore", invalid="ignore"):
        if policy == "keep" or np.isfinite(values.sum(dtype=np.float64)):
            return values
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count and policy == "error":
        raise InputFileError(
            f"{count} non-finite voxels",
            file=path,
            subject=subject,
            found=f"{int(np.isnan(values).sum())} NaN and {int(np.isinf(values).sum())} infinite of {values.size}",
            expected="finite intensities",
            remedy='mend the image, or set nonfinite to "mask" to leave these voxels out',
        )
    _log.warning("%s: %d non-finite voxels set to 0", Path(str(path)).name, count)
    return np.where(bad, np.float32(0), values)


def _bytes(count: int) -> str:
    return f"{count:,} bytes ({count / 1e9:.3g} GB)"
