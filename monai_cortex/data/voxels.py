"""Voxels of an image file, whichever the format, once its header is understood."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import CortexError, InputFileError, ResourceError

from .image_file import Content, could_hold, inspect_content, is_zipped, read_start
from .memory import OPTION, memory_limit
from .nifti_header import Layout

__all__ = ["Volume", "check_values", "load_voxels", "read_layout_of", "require_contrast", "require_whole"]

_log = logging.getLogger(__name__)
# Bytes decompressed of an image that cannot be read anyway, to say why: some seconds.
_PATIENCE = 2_000_000_000
# What formats keep behind the voxels is small.
_SURPLUS = 1 << 24
_THICK, _PART = 16, 1 << 21


class Volume(NamedTuple):
    """An image on its grid.

    Args:
        values: voxels ``(I, J, K)`` or ``(I, J, K, N)``.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]


def read_layout_of(path: Path, subject: str, interpret: Callable[[bytes], Layout]) -> Layout:
    """Understand the header of an image file.

    Args:
        path: of the file.
        subject: identifier for messages.
        interpret: what the first bytes of the file say.

    Raises:
        CortexError: of `interpret`; of a damaged stream where there is one, since that explains any header.
    """
    start = read_start(path, subject)
    try:
        return interpret(start)
    except CortexError:
        content = inspect_content(path, subject, _PATIENCE)
        if not content.complete and content.size <= _PATIENCE:
            _refuse_part("truncated: the compressed stream ends early", content, "a whole gzip stream", path, subject)
        raise


def require_whole(layout: Layout, path: Path, subject: str, surplus: bool = False) -> None:
    """Compare what the header claims with what the file holds, before anything is allocated.

    Args:
        layout: as the header claims it.
        path: of the file.
        subject: identifier for messages.
        surplus: the format keeps something behind the voxels; where it does not, it is logged.

    Raises:
        InputFileError: the file holds less, or far more, or is damaged.
        ResourceError: the file may hold as much, which is more than the memory limit.
    """
    need = _memory(layout)
    if need > memory_limit() and could_hold(path, layout.end):
        _refuse_size(need, layout, path, subject)
    most = min(layout.end + _SURPLUS, _PATIENCE) if need > memory_limit() else layout.end + _SURPLUS
    content = inspect_content(path, subject, most)
    claim = f"the header claims {_bytes(layout.end)} for {layout.shape} {layout.dtype.name}"
    if content.size > most:
        if need > memory_limit():
            _refuse_size(need, layout, path, subject)
        _refuse_part("the file holds far more than its header claims", content, claim, path, subject)
    if content.size < layout.end:
        problem = "the header claims more data than the file holds" if content.complete else "the stream ends early"
        _refuse_part(f"truncated: {problem}", content, claim, path, subject)
    if not content.complete:
        _refuse_part("gzip trailer missing", content, claim, path, subject)
    if content.size > layout.end and not surplus:
        _log.warning("%s: %d bytes behind the voxels are not read", path.name, content.size - layout.end)


def load_voxels(path: Path, layout: Layout, subject: str) -> NDArray[np.float32]:
    """Read voxels into memory.

    Args:
        path: of the file.
        layout: where and how the file holds them.
        subject: identifier for messages.

    Returns:
        Intensities, of the layout's shape. Each volume is contiguous; of a series, so are the volumes.

    Raises:
        ResourceError: the image needs more memory than the limit.
    """
    need = _memory(layout)
    grid, series = (*layout.shape, 1, 1)[:3], layout.shape[3:]
    try:
        if need > memory_limit():
            raise MemoryError
        stack = np.empty((math.prod(series), *grid), np.float32)
        with gzip.open(path) if is_zipped(path) else path.open("rb") as file:
            file.seek(layout.offset)
            for volume in stack:
                _fill(volume, cast(BinaryIO, file), layout)
    except MemoryError:
        _refuse_size(need, layout, path, subject)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputFileError(
            "the file changed while it was read",
            file=path,
            subject=subject,
            found=error,
            expected=f"{_bytes(layout.end)}",
            remedy="wait until the file is written, then try again",
        ) from error
    return stack.reshape(*series[::-1], *grid).transpose(*_order(len(series))).reshape(layout.shape)


def _order(series: int) -> list[int]:
    """Axes of a stack of volumes in the order of the file: the grid first, then the series, its last axis first."""
    return [*range(series, series + 3), *reversed(range(series))]


def _fill(volume: NDArray[np.float32], file: BinaryIO, layout: Layout) -> None:
    """Read one volume ``(I, J, K)``, some slices at a time: neighbors along K lie side by side in memory."""
    rows, columns, slices = volume.shape
    thickness = _thickness(rows * columns)
    plain = (layout.slope, layout.intercept) == (1.0, 0.0)
    for first in range(0, slices, thickness):
        part = volume[:, :, first : first + thickness]
        numbers = np.frombuffer(file.read(part.size * layout.dtype.itemsize), layout.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = numbers if plain else numbers * np.float64(layout.slope) + layout.intercept
            part[...] = scaled.reshape(-1, columns, rows).T


def _thickness(area: int) -> int:
    """How many slices are read at once: enough to fill lines of the cache, few enough to stay small."""
    return max(1, min(_THICK, _PART // area))


def _memory(layout: Layout) -> int:
    """Bytes that reading takes at its peak."""
    rows, columns, slices, *_ = (*layout.shape, 1, 1, 1)
    part = rows * columns * min(slices, _thickness(rows * columns))
    return 4 * math.prod(layout.shape) + part * (layout.dtype.itemsize + 20)


def check_values(values: NDArray[np.float32], policy: str, path: object, subject: str) -> NDArray[np.float32]:
    """Voxels without NaN and infinities, which are refused ("error"), set to 0 and logged ("mask") or left ("keep").

    Raises:
        InputFileError: there are some, and the policy is "error".
    """
    with np.errstate(invalid="ignore"):
        if policy == "keep" or math.isfinite(values.min()) and math.isfinite(values.max()):
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


def _refuse_part(problem: str, content: Content, expected: str, path: Path, subject: str) -> NoReturn:
    raise InputFileError(
        problem,
        file=path,
        subject=subject,
        found=f"the file holds {_bytes(content.size)}",
        expected=expected,
        remedy="copy or download the file again",
    )


def _refuse_size(need: int, layout: Layout, path: Path, subject: str) -> NoReturn:
    raise ResourceError(
        "the image needs more memory than is allowed",
        file=path,
        subject=subject,
        found=f"needs {_bytes(need)} for {layout.shape} {layout.dtype.name}",
        expected=f"at most {_bytes(memory_limit())}",
        remedy=f"crop or resample the image, or raise the limit {OPTION}",
    )


def _bytes(count: int) -> str:
    return f"{count:,} bytes ({count / 1e9:.3g} GB)"
