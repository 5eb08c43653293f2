"""Surfaces, values and labels from GIFTI files."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monai_cortex.errors import GeometryError, InputFileError

from .annotation import Annotation
from .gifti_array import GiftiArray
from .gifti_document import GiftiDocument, read_gifti
from .surface_file import SurfaceFile, make_mesh, require_finite
from .surface_names import hemisphere_of

__all__ = ["STRUCTURE", "read_gifti_labels", "read_gifti_surface", "read_gifti_values"]

_log = logging.getLogger(__name__)
STRUCTURE = "AnatomicalStructurePrimary"
_HEMISPHERES = {"CortexLeft": "lh", "CortexRight": "rh"}
_POINTS, _TRIANGLES, _LABELS = (f"NIFTI_INTENT_{name}" for name in ("POINTSET", "TRIANGLE", "LABEL"))
_UNKNOWN = "NIFTI_XFORM_UNKNOWN"
_MIXED_UP = "check that the files of the subject were not mixed up"
# The name that Workbench gives to vertices without region.
_NO_REGION = "???"
_MATRIX_GAP = 1e-5
_SENSIBLE, _ABSURD = (1e-30, 1e10), 0.1


def read_gifti_surface(path: str | os.PathLike[str], subject: str = "", *, scanner: bool = False) -> SurfaceFile:
    """Read a surface: one pointset and one array of triangles, in either order.

    Args:
        path: of the file, ``.gii`` or ``.gii.gz``.
        subject: identifier for messages.
        scanner: add c_ras where FreeSurfer left it in the metadata and the file names no space, so that the vertices
            are in RAS+ scanner axes.

    Returns:
        Vertices in mm ``(V, 3)`` and faces ``(F, 3)``. The hemisphere is what ``AnatomicalStructurePrimary`` says, or
        else the name of the file.

    Raises:
        InputFileError: missing, damaged, unsafe, or no surface.
        GeometryError: NaN, an index out of range, a coordinate transform that is not the identity, or the name and the
            content of the file disagree on the hemisphere.
        ResourceError: the arrays need more memory than the limit.
    """
    document = read_gifti(path, subject)
    points = _only(document, _POINTS, "pointset", path, subject)
    triangles = _only(document, _TRIANGLES, "array of triangles", path, subject)
    for array, kinds, name in ((points, "f", "pointset"), (triangles, "iu", "array of triangles")):
        if array.values.ndim != 2 or array.values.shape[1] != 3 or array.values.dtype.kind not in kinds:  # noqa: PLR2004
            raise InputFileError(
                f"the {name} of the GIFTI file has another form",
                file=path,
                subject=subject,
                found=f"shape {array.values.shape}, {array.values.dtype.name}",
                expected="(n, 3), floating point for points, integers for triangles",
                remedy="export the surface again",
            )
        _require_identity(array, path, subject)
    hemisphere = _hemisphere(document, points, path, subject)
    mesh, volume_info = make_mesh(points.values, triangles.values, path, subject), _volume_info(points.metadata)
    # FreeSurfer calls its own axes unknown. Whoever named a space since has moved the points there: Workbench, which
    # writes all surfaces of HCP's pipelines, keeps the volume's center in the metadata all the same.
    moved = {space for space, _ in points.transforms} - {_UNKNOWN}
    c_ras = np.array(volume_info["cras"]) if volume_info and not moved else np.zeros(3)
    if scanner:
        mesh = mesh._replace(vertices=mesh.vertices + torch.from_numpy(c_ras))
    return SurfaceFile(mesh, hemisphere, c_ras, volume_info, str(path), subject)


def read_gifti_values(
    path: str | os.PathLike[str], vertices: int, subject: str = "", *, hemisphere: str = ""
) -> NDArray[np.float32]:
    """Read one value for each vertex.

    Args:
        path: of the file, ``.shape.gii`` or another; it must hold one data array.
        vertices: number of vertices of the surface that the values belong to.
        subject: identifier for messages.
        hemisphere: "lh" or "rh" refuses a file whose content says the other; "" takes either.

    Returns:
        Values in the file's own unit, ``(V,)``.

    Raises:
        InputFileError: missing, damaged, unsafe, of another surface, several arrays, or values that are not finite.
        GeometryError: the values belong to the other hemisphere, or their byte order is wrong.
        ResourceError: the array needs more memory than the limit.
    """
    document = read_gifti(path, subject)
    values = _one_for_each(document, vertices, path, subject)
    _require_side(document, hemisphere, path, subject)
    numbers = require_finite(values.values.reshape(-1), path, subject)
    _require_sensible(numbers, path, subject)
    return numbers


def read_gifti_labels(
    path: str | os.PathLike[str], vertices: int, subject: str = "", *, hemisphere: str = ""
) -> Annotation:
    """Read the region of each vertex and the table of regions.

    Vertices of the region "???" and those whose key is not in the table belong to no region; the latter are counted in
    the log.

    Args:
        path: of the file, ``.label.gii``.
        vertices: number of vertices of the surface that the labels belong to.
        subject: identifier for messages.
        hemisphere: "lh" or "rh" refuses a file whose content says the other; "" takes either.

    Returns:
        Labels ``(V,)`` and what they stand for; the last column of the colors is the key in the file.

    Raises:
        InputFileError: missing, damaged, unsafe, of another surface, without a table of regions, or all of its keys
            are strange to the table.
        GeometryError: the labels belong to the other hemisphere.
        ResourceError: the array needs more memory than the limit.
    """
    document = read_gifti(path, subject)
    array = _one_for_each(document, vertices, path, subject)
    _require_side(document, hemisphere, path, subject)
    if array.intent != _LABELS or array.values.dtype.kind not in "iu" or not document.labels:
        raise InputFileError(
            "not a GIFTI file of labels",
            file=path,
            subject=subject,
            found=f"intent {array.intent[:40]!r}, {array.values.dtype.name}, a table of {len(document.labels)} regions",
            expected=f"integers with intent {_LABELS} and a table of labels",
            remedy=_MIXED_UP,
        )
    keys = sorted(document.labels)
    names = tuple(document.labels[key][0] for key in keys)
    red_to_alpha = np.array([document.labels[key][1] for key in keys])
    channels = np.round(255 * np.nan_to_num(red_to_alpha).clip(0, 1)).astype(np.int64)
    channels[:, 3] = 255 - channels[:, 3]
    numbers = array.values.reshape(-1).astype(np.int64)
    labels = np.searchsorted(keys, numbers).clip(max=len(keys) - 1)
    known = np.array(keys)[labels] == numbers
    if not known.any():
        raise InputFileError(
            "no key of the GIFTI file is in its table of labels",
            file=path,
            subject=subject,
            found=f"keys from {numbers.min()} to {numbers.max()}",
            expected=f"keys such as {', '.join(map(str, keys[:6]))}",
            remedy="export the labels again; check the attribute Endian",
        )
    if not known.all():
        _log.warning("%s: %d vertices have a key that is not in the table", Path(path).name, int((~known).sum()))
    known &= np.array([name != _NO_REGION for name in names])[labels]
    return Annotation(np.where(known, labels, -1), names, np.column_stack([channels, keys]))


def _only(document: GiftiDocument, intent: str, name: str, path: object, subject: str) -> GiftiArray:
    found = [array for array in document.arrays if array.intent == intent]
    if len(found) == 1:
        return found[0]
    raise InputFileError(
        f"no {name} in the GIFTI file" if not found else f"the GIFTI file has more than one {name}",
        file=path,
        subject=subject,
        found=", ".join(repr(array.intent[:40]) for array in document.arrays[:6]) or "no data arrays",
        expected=f"one {_POINTS} and one {_TRIANGLES}",
        remedy="name a .surf.gii file, with the vertices and the triangles of one surface",
    )


def _one_for_each(document: GiftiDocument, vertices: int, path: object, subject: str) -> GiftiArray:
    arrays = document.arrays
    if len(arrays) == 1 and arrays[0].values.shape in ((vertices,), (vertices, 1)):
        return arrays[0]
    shapes = ", ".join(str(array.values.shape) for array in arrays[:6])
    raise InputFileError(
        "the GIFTI file does not hold one value for each vertex",
        file=path,
        subject=subject,
        found=f"{len(arrays)} data arrays" + (f" of shape {shapes}" if arrays else ""),
        expected=f"one array of {vertices:,} values, one for each of the {vertices:,} vertices",
        remedy=_MIXED_UP,
    )


def _require_sensible(values: NDArray[np.float32], path: object, subject: str) -> None:
    """Refuse numbers most of which are far too large or too small, as those of a wrong byte order are."""
    size = np.abs(values[values != 0])
    absurd = int(((size > _SENSIBLE[1]) | (size < _SENSIBLE[0])).sum())
    if absurd > _ABSURD * len(values):
        raise GeometryError(
            "the values of the GIFTI file are absurd, as of a wrong byte order",
            file=path,
            subject=subject,
            found=f"{absurd:,} of {len(values):,}, such as {size.min():.3g} and {size.max():.3g}",
            expected=f"0, or sizes from {_SENSIBLE[0]:g} to {_SENSIBLE[1]:g}",
            remedy="correct the attribute Endian, or export the values again",
        )


def _require_identity(array: GiftiArray, path: object, subject: str) -> None:
    for _, text in array.transforms:
        try:
            matrix = np.array([float(word) for word in text.split()]).reshape(4, 4)
        except ValueError:
            matrix = np.full((4, 4), np.nan)
        if not np.allclose(matrix, np.eye(4), rtol=0, atol=_MATRIX_GAP):
            raise GeometryError(
                "the GIFTI file has a coordinate transform (XForm) that is not the identity",
                file=path,
                subject=subject,
                found=" ".join(text.split())[:120] or "an empty matrix",
                expected="the identity matrix, or no transform",
                remedy="apply the transform to the coordinates and save the surface without it",
            )


def _side(metadata: Mapping[str, str]) -> str:
    return _HEMISPHERES.get(metadata.get(STRUCTURE, ""), "")


def _hemisphere(document: GiftiDocument, points: GiftiArray, path: str | os.PathLike[str], subject: str) -> str:
    named, said = hemisphere_of(path), _side(points.metadata) or _side(document.metadata)
    if named and said:
        _require_same(named, said, path, subject)
    return said or named


def _require_side(document: GiftiDocument, hemisphere: str, path: object, subject: str) -> None:
    said = _side(document.metadata) or next((_side(array.metadata) for array in document.arrays), "")
    if hemisphere and said:
        _require_same(hemisphere, said, path, subject)


def _require_same(expected: str, said: str, path: object, subject: str) -> None:
    if expected != said:
        raise GeometryError(
            "the file belongs to the other hemisphere",
            file=path,
            subject=subject,
            found=f"{STRUCTURE} says {said}",
            expected=f"hemisphere {expected}",
            remedy=_MIXED_UP,
        )


def _volume_info(metadata: Mapping[str, str]) -> dict[str, Any]:
    """FreeSurfer's own words for the volume of a surface, under nibabel's keys; empty where they are not complete."""
    axes = ("R", "A", "S")
    names = {
        "volume": ("Width", "Height", "Depth"),
        "voxelsize": ("Xsize", "Ysize", "Zsize"),
        **{f"{axis.lower()}ras": tuple(f"{axis}_{end}" for end in axes) for axis in ("X", "Y", "Z", "C")},
    }
    try:
        numbers = {key: np.array([float(metadata[f"VolGeom{name}"]) for name in words]) for key, words in names.items()}
    except (KeyError, ValueError):
        return {}
    if not np.isfinite(np.concatenate(list(numbers.values()))).all():
        return {}
    numbers["volume"] = numbers["volume"].astype(np.int64)
    texts = {"valid": "1  # volume info valid", "filename": metadata.get("VolGeomFname", "")}
    return {"head": np.array([2, 0, 20]), **texts, **numbers}
