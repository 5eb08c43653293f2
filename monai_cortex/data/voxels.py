"""Voxels of an image file, whichever the format, once its header is understood."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nibabel.arrayproxy import ArrayProxy
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError, ResourceError

from .image_file import Content
from .memory import OPTION, memory_limit
from .nifti_header import Layout

__all__ = ["Volume", "check_values", "load_voxels", "require_contrast", "require_whole"]

_log = logging.getLogger(__name__)


class Volume(NamedTuple):
    """An image on its grid.

    Args:
        values: voxels ``(I, J, K)`` or ``(I, J, K, N)``.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]


def require_whole(content: Content, layout: Layout, path: Path, subject: str) -> None:
    """Compare what the header claims with what the file holds, before anything is allocated.

    Args:
        content: of the file.
        layout: as the header claims it.
        path: of the file.
        subject: identifier for messages.

    Raises:
        InputFileError: the file holds less.
    """
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


def load_voxels(path: Path, layout: Layout, subject: str) -> NDArray[np.float32]:
    """Read voxels into memory.

    Args:
        path: of the file.
        layout: where and how the file holds them.
        subject: identifier for messages.

    Returns:
        Intensities, of the layout's shape.

    Raises:
        ResourceError: the image needs more memory than the limit.
    """
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


def check_values(values: NDArray[np.float32], policy: str, path: object, subject: str) -> NDArray[np.float32]:
    """Voxels without NaN and infinities, which are refused ("error"), set to 0 and logged ("mask") or left ("keep").

    Raises:
        InputFileError: there are some, and the policy is "error".
    """
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


def require_contrast(values: NDArray[np.float32], path: object, subject: str) -> None:
    """Refuse an image ``(I, J, K)`` or ``(I, J, K, N)`` that has the same value everywhere.

    Args:
        values: ``(I, J, K)``.
        path: of the file.
        subject: identifier for messages.

    Raises:
        InputFileError: it has.
    """
    if values.min() == values.max():
        raise InputFileError(
            "the image is constant",
            file=path,
            subject=subject,
            found=f"{values.flat[0]:g} in every voxel",
            expected="an image with contrast",
            remedy="check how the image was exported",
        )


def _bytes(count: int) -> str:
    return f"{count:,} bytes ({count / 1e9:.3g} GB)"
