"""FreeSurfer's surfaces and the values at their vertices: read with every check, written whole or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import nibabel.freesurfer as nibabel_freesurfer
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .atomic import atomic_path
from .binary_file import BinaryFile
from .surface_file import SurfaceFile, make_mesh, require_finite
from .surface_names import hemisphere_of
from .volume_geometry import center_of, pack_volume_geometry, read_volume_geometry

__all__ = ["read_morph", "read_surface_geometry", "write_morph", "write_surface_geometry"]

_log = logging.getLogger(__name__)
_TRIANGLES = b"\xff\xff\xfe"
_VALUES = b"\xff\xff\xff"
_QUADRANGLES = (b"\xff\xff\xff", b"\xff\xff\xfd")
# No user and no date: a file must not tell who made it, and equal surfaces are equal files.
_STAMP = "created by monai_cortex"
_MIXED_UP = "check that the files of the subject were not mixed up"
_POINT = 12
_LEAST = 15
_OLD_SCALE = 100


def read_surface_geometry(path: str | os.PathLike[str], subject: str = "", *, scanner: bool = False) -> SurfaceFile:
    """Read a triangle surface such as ``lh.sphere`` or ``lh.white``.

    The counts in the header are compared with the size of the file before anything is allocated. Whether the triangles
    form a closed surface is for :func:`monai_cortex.data.surface_checks.check_surface` to say.

    Args:
        path: of the file.
        subject: identifier for messages.
        scanner: add c_ras, so that the vertices are in RAS+ scanner coordinates.

    Returns:
        Vertices in mm ``(V, 3)``, in the file's coordinates (tkrRAS) unless ``scanner``, and faces ``(F, 3)``.

    Raises:
        InputFileError: missing, truncated, damaged, or another kind of file.
        GeometryError: a coordinate is not finite, or an index is out of range.
    """
    with BinaryFile(path, "surface file", subject) as file:
        _require_triangles(file)
        file.line("creation stamp")
        file.line("creation stamp")
        points, triangles = file.numbers(">i4", 2, "counts").tolist()
        if min(points, triangles) < 1 or _POINT * (points + triangles) > file.left:
            file.refuse(
                "truncated or damaged: the header does not fit the size of the file",
                f"{points:,} vertices and {triangles:,} faces in the header, {file.left:,} bytes behind it",
                f"{max(0, _POINT * (points + triangles)):,} bytes or more, for at least one of each",
            )
        vertices = file.numbers(">f4", 3 * points, "vertices").reshape(-1, 3)
        faces = file.numbers(">i4", 3 * triangles, "faces").reshape(-1, 3)
        volume_info = read_volume_geometry(file)
    mesh, c_ras = make_mesh(vertices, faces, path, subject), center_of(volume_info)
    if scanner and not volume_info:
        _log.warning("%s: no c_ras in the file, taken as 0", Path(path).name)
    if scanner:
        mesh = mesh._replace(vertices=mesh.vertices + torch.from_numpy(c_ras))
    return SurfaceFile(mesh, hemisphere_of(path), c_ras, volume_info, str(path), subject)


def write_surface_geometry(
    path: str | os.PathLike[str],
    vertices: ArrayLike,
    faces: ArrayLike,
    volume_info: Mapping[str, Any] | None = None,
) -> None:
    """Write a triangle surface; equal inputs give equal bytes, and an older file stays whole until the new one is.

    Args:
        path: of the file; FreeSurfer's names have no suffix.
        vertices: coordinates in mm as the file shall hold them, ``(V, 3)``; stored as float32. Spheres have radius 100.
        faces: indices of vertices, ``(F, 3)``.
        volume_info: as :func:`read_surface_geometry` returns it.

    Raises:
        ValueError: the coordinates are not finite, an index is out of range, or volume_info lacks a key.
        ResourceError: the disk is full.
    """
    points, corners = np.asarray(vertices), np.asarray(faces)
    with np.errstate(over="ignore"):
        points = points.astype(np.float32)
    if points.ndim != 2 or points.shape[1:] != (3,) or not len(points) or not np.isfinite(points).all():  # noqa: PLR2004
        raise ValueError(f"a surface needs finite vertices (V, 3), got another kind, of shape {points.shape}.")
    if corners.ndim != 2 or corners.shape[1:] != (3,) or not len(corners) or corners.dtype.kind not in "iu":  # noqa: PLR2004
        raise ValueError(f"a surface needs integer faces (F, 3), got {corners.dtype} of shape {corners.shape}.")
    if corners.min() < 0 or corners.max() >= len(points):
        raise ValueError(f"faces name vertices 0 to {len(points) - 1}, got {corners.min()} to {corners.max()}.")
    footer = pack_volume_geometry(volume_info or {})
    with atomic_path(path) as temporary:
        nibabel_freesurfer.write_geometry(str(temporary), points, corners, create_stamp=_STAMP)
        # nibabel rounds the numbers of volume_info, and keeps the folders of its file name.
        with temporary.open("ab") as stream:
            stream.write(footer)


def read_morph(path: str | os.PathLike[str], vertices: int, subject: str = "") -> NDArray[np.float32]:
    """Read one value for each vertex, such as ``lh.sulc``, ``lh.curv`` or ``lh.thickness``, in either format.

    Args:
        path: of the file.
        vertices: number of vertices of the surface that the values belong to.
        subject: identifier for messages.

    Returns:
        Values in the file's own unit, ``(V,)``.

    Raises:
        InputFileError: missing, truncated, too long, another kind of file, or values that are not finite.
    """
    with BinaryFile(path, "morphometry (curv) file", subject) as file:
        values = _new_values(file, vertices) if _starts_as_values(file) else _old_values(file, vertices)
    return require_finite(values, path, subject)


def write_morph(path: str | os.PathLike[str], values: ArrayLike, faces_count: int = 0) -> None:
    """Write one value for each vertex; equal inputs give equal bytes.

    Args:
        path: of the file; FreeSurfer's names have no suffix.
        values: in any unit, ``(V,)``; stored as float32.
        faces_count: number of triangles of the surface, which the format has a place for.

    Raises:
        ValueError: the values are not ``(V,)`` and finite as float32, or the count does not fit.
        ResourceError: the disk is full.
    """
    with np.errstate(over="ignore"):
        numbers = np.asarray(values).astype(np.float32)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all() or faces_count < 0:
        raise ValueError(f"need finite values (V,) and a count of faces, got shape {numbers.shape}, {faces_count}.")
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        # A stream, since nibabel would compress by the suffix of the name.
        nibabel_freesurfer.write_morph_data(stream, numbers, fnum=faces_count)


def _require_triangles(file: BinaryFile) -> None:
    magic = file.content(3, "magic") if file.left >= len(_TRIANGLES) else b""
    if magic == _TRIANGLES:
        return
    other = magic in _QUADRANGLES
    file.refuse(
        "not a triangle surface of FreeSurfer (wrong magic)",
        f"bytes {magic.hex(' ') or 'too few'}" + (": values (curv) or quadrangles" if other else ""),
        f"bytes {_TRIANGLES.hex(' ')}",
        "name a surface such as lh.sphere; `mris_convert` rewrites quadrangles",
    )


def _starts_as_values(file: BinaryFile) -> bool:
    if file.left < len(_VALUES):
        _refuse_values(file, b"")
    start = file.content(3, "magic")
    if start == _VALUES:
        return True
    # The old format has no magic: it starts with the number of vertices, and its size must fit that.
    count = int.from_bytes(start, "big")
    if not count or file.size != 6 + 2 * count:
        _refuse_values(file, start)
    file.content(3, "number of faces")
    return False


def _new_values(file: BinaryFile, vertices: int) -> NDArray[Any]:
    if file.size < _LEAST:
        _refuse_values(file, _VALUES)
    count, _, columns = file.numbers(">i4", 3, "counts").tolist()
    if columns != 1 or count < 1:
        _refuse_values(file, _VALUES, f", {count} vertices, {columns} values at each")
    held = file.left / 4
    if held != count or count != vertices:
        _refuse_count(file, held, count, vertices)
    return file.numbers(">f4", count, "values")


def _old_values(file: BinaryFile, vertices: int) -> NDArray[Any]:
    count = file.left // 2
    if count != vertices:
        _refuse_count(file, count, count, vertices)
    return file.numbers(">i2", count, "values") / _OLD_SCALE


def _refuse_values(file: BinaryFile, start: bytes, more: str = "") -> NoReturn:
    file.refuse(
        "not a curv file of FreeSurfer (morphometry, such as lh.sulc)",
        f"{file.size:,} bytes that start with {start.hex(' ') or 'too few'}{more}",
        f"bytes {_VALUES.hex(' ')}, then one value for each vertex",
        _MIXED_UP,
    )


def _refuse_count(file: BinaryFile, held: float, count: int, vertices: int) -> NoReturn:
    file.refuse(
        "truncated, too long, or of another surface" if held != count else "the values belong to another surface",
        f"{held:,.10g} values in the file, {count:,} in its header",
        f"{vertices:,} values, one for each of the {vertices:,} vertices",
        _MIXED_UP if held == count else "copy or export it again",
    )
