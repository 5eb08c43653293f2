"""A triangle mesh as a file holds it, whichever the format."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.mesh import Mesh

__all__ = ["SurfaceFile", "make_mesh", "require_finite"]

_FARTHEST = 1e6


class SurfaceFile(NamedTuple):
    """A surface, and what its file says of it.

    Attributes:
        mesh: vertices in mm ``(V, 3)`` float64, in the file's own axes unless read with ``scanner=True``; faces
            ``(F, 3)`` int64.
        hemisphere: "lh", "rh", or "" where neither the name nor the content of the file tells.
        c_ras: what must be added to the file's coordinates to get RAS+ scanner coordinates, mm, ``(3,)``; zeros where
            the file does not say.
        volume_info: the volume that the surface was made from, with nibabel's keys; empty where the file has none.
        path: of the file.
        subject: identifier for messages.
    """

    mesh: Mesh
    hemisphere: str
    c_ras: NDArray[np.float64]
    volume_info: dict[str, Any]
    path: str
    subject: str


def make_mesh(vertices: ArrayLike, faces: ArrayLike, path: str | os.PathLike[str], subject: str = "") -> Mesh:
    """Mesh of what a file holds, with finite coordinates and indices that name vertices.

    Args:
        vertices: coordinates in mm, ``(V, 3)``.
        faces: indices, ``(F, 3)``.
        path: of the file, for messages.
        subject: identifier for messages.

    Returns:
        Vertices float64, faces int64; copies.

    Raises:
        GeometryError: a coordinate is NaN, infinite or beyond a kilometer, or an index is out of range.
    """
    with np.errstate(invalid="ignore"):  # a signaling NaN makes its conversion complain
        points, corners = np.array(vertices, np.float64), np.array(faces, np.int64)
    # Extremes are NaN or infinite where a coordinate is; only then it is looked for.
    largest = float(np.maximum(points.max(initial=0), -points.min(initial=0)))
    if not math.isfinite(largest):
        bad = ~np.isfinite(points).all(1)
        raise GeometryError(
            "the surface holds NaN or infinite coordinates",
            file=path,
            subject=subject,
            found=f"{int(bad.sum())} of {len(points)} vertices, the first is vertex {int(bad.argmax())}",
            expected="finite coordinates in mm",
            remedy="make the surface again",
        )
    if largest > _FARTHEST:
        raise GeometryError(
            "the surface has absurd coordinates, as of a wrong byte order",
            file=path,
            subject=subject,
            found=f"{largest:.3g} mm",
            expected=f"at most {_FARTHEST:g} mm",
            remedy="make the surface again; in GIFTI, correct the attribute Endian",
        )
    if corners.size and (corners.min() < 0 or corners.max() >= len(points)):
        outside = (corners < 0) | (corners >= len(points))
        face = int(outside.any(1).argmax())
        raise GeometryError(
            "a face names a vertex that does not exist (index out of range)",
            file=path,
            subject=subject,
            found=f"face {face}: index {int(corners[face][outside[face]][0])}; {int(outside.any(1).sum())} such faces",
            expected=f"indices from 0 to {len(points) - 1}",
            remedy="make the surface again, or copy its file again",
        )
    return Mesh(torch.from_numpy(points), torch.from_numpy(corners))


def require_finite(values: NDArray[Any], path: str | os.PathLike[str], subject: str = "") -> NDArray[np.float32]:
    """Values as float32 ``(V,)``.

    Args:
        values: one for each vertex, ``(V,)``.
        path: of their file, for messages.
        subject: identifier for messages.

    Raises:
        InputFileError: a value is NaN or infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = values.astype(np.float32)
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise InputFileError(
            "the file holds NaN or infinite values",
            file=path,
            subject=subject,
            found=f"{int(bad.sum())} of {len(bad)} values, the first at vertex {int(bad.argmax())}",
            expected="finite values",
            remedy="make the file again",
        )
    return numbers
