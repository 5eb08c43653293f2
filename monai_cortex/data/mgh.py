"""FreeSurfer's volumes, MGH and MGZ, every check made before the voxels are believed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError

from .affine import is_usable
from .nifti_header import Layout
from .voxels import Volume, check_values, load_voxels, read_layout_of, require_contrast, require_whole

__all__ = ["read_mgh", "surface_offset"]

_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_START = 284
_HEADER = np.dtype(
    [
        ("version", ">i4"),
        ("shape", ">i4", 4),
        ("type", ">i4"),
        ("dof", ">i4"),
        ("placed", ">i2"),
        ("spacing", ">f4", 3),
        ("axes", ">f4", (3, 3)),
        ("center", ">f4", 3),
    ]
)
_LARGEST = 1 << 15
_EDGE = (5e-3, 500.0)
_DIRECTION = 0.01


def read_mgh(path: str | os.PathLike[str], *, subject: str = "", constant: bool = False) -> Volume:
    """Read a volume of one frame; a compressed file is read once more, to its end, to verify its checksum.

    Args:
        path: ``.mgh`` or ``.mgz``.
        subject: identifier for messages.
        constant: accept an image that has the same value everywhere.

    Returns:
        Voxels as float32 and the affine to RAS+ scanner coordinates, mm.

    Raises:
        InputFileError: the file is missing, damaged, foreign, has several frames, or NaN or infinite voxels.
        ResourceError: the image needs more memory than the limit.
    """
    place = Path(path)
    layout = read_layout_of(place, subject, lambda head: _layout(head, place, subject))
    require_whole(layout, place, subject, surplus=True)
    values = check_values(load_voxels(place, layout, subject), "error", place, subject)
    if not constant:
        require_contrast(values, place, subject)
    return Volume(values, layout.affine)


def surface_offset(volume: Volume) -> NDArray[np.float64]:
    """c_ras of a volume, what surfaces made from it lack to scanner coordinates, mm, ``(3,)``.

    Args:
        volume: as read.
    """
    middle = np.array([size / 2 for size in volume.values.shape[:3]])
    return np.asarray(volume.affine[:3, :3] @ middle + volume.affine[:3, 3])


def _layout(head: bytes, path: Path, subject: str) -> Layout:
    header = np.frombuffer(head[: _HEADER.itemsize], _HEADER)[0] if len(head) >= _START else None
    if header is None or header["version"] != 1 or int(header["type"]) not in _TYPES:
        raise _refused(
            "not a volume of FreeSurfer (MGH)",
            path,
            subject,
            f"{len(head)} bytes" if header is None else f"version {header['version']}, type {header['type']}",
            f"version 1, and one of the types {', '.join(map(str, _TYPES))}",
        )
    shape = tuple(int(size) for size in header["shape"])
    if not all(0 < size <= _LARGEST for size in shape) or shape[3] != 1:
        raise _refused("wrong dimensions in the header", path, subject, shape, "three positive sizes and one frame")
    return Layout(shape[:3], np.dtype(_TYPES[int(header["type"])]), _START, 1.0, 0.0, _affine(header, path, subject))


def _affine(header: np.void, path: Path, subject: str) -> NDArray[np.float64]:
    """Axes are the rows of their field; the center is that of the voxel grid, sizes halved without rounding."""
    affine = np.eye(4)
    with np.errstate(invalid="ignore"):  # infinite numbers and signaling NaN are refused below
        axes, spacing, center = (np.array(header[name], np.float64) for name in ("axes", "spacing", "center"))
        affine[:3, :3] = axes.T * spacing
        affine[:3, 3] = center - affine[:3, :3] @ (header["shape"][:3] / 2)
    placed = header["placed"] == 1
    with np.errstate(over="ignore", invalid="ignore"):
        turned = bool((np.abs(np.linalg.norm(axes, axis=1) - 1) <= _DIRECTION).all())
    if not placed or not turned or not is_usable(affine) or not all(_EDGE[0] <= edge <= _EDGE[1] for edge in spacing):
        found = f"spacing {spacing.tolist()}, axes {axes.tolist()}" if placed else "no orientation (goodRASFlag 0)"
        raise _refused(
            "the volume does not say where it lies",
            path,
            subject,
            found,
            "axes of length 1, and a finite, invertible affine",
        )
    return affine


def _refused(problem: str, path: Path, subject: str, found: object, expected: str) -> InputFileError:
    remedy = "export it again, such as by mri_convert"
    return InputFileError(problem, file=path, subject=subject, found=found, expected=expected, remedy=remedy)
