"""Cortical surfaces of a dataset folder with the image that they belong to, as items; and what an item's files hold."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.topology import signed_volume

from .annotation import read_annotation
from .dataset_folder import no_subject, subject_folders
from .gifti import read_gifti_labels
from .hemisphere_file import find_gifti, gifti_folders, read_hemisphere_surface, require_brain_size, require_own_side
from .input_file import require_file
from .mgh import read_mgh, surface_offset
from .nifti import read_volume
from .surface_checks import check_surface
from .surface_file import SurfaceFile
from .surface_names import HEMISPHERES, gifti_files, is_gifti
from .voxels import Volume

__all__ = ["CorticalSurfaces", "read_synthesis_subject", "synthesis_subjects"]

_log = logging.getLogger(__name__)
_KINDS = ("white", "pial")
_IMAGES = ("mri/T1.mgz", "mri/orig.mgz", "mri/T1.nii.gz", "T1.nii.gz", "T1w.nii.gz")
_LAYOUT = "<subject>/surf/{lh,rh}.{white,pial} [mri/T1.mgz], or GIFTI: <subject>/*.{L,R}.{white,pial}.surf.gii"
_OFFSET = 0.01  # mm; the format holds c_ras in single precision
_SAMPLE = 5000
_OUTSIDE = 0.01


class CorticalSurfaces(NamedTuple):
    """Surfaces of one subject, checked, and its image.

    Attributes:
        white, pial: by "lh" and "rh", closed meshes in mm, RAS+ scanner coordinates, ``(V, 3)`` float64.
        image: the T1-weighted image whose grid outputs take; None where there is none.
        labels: region of each vertex ``(V,)`` int64, -1 for none, by side; empty without annotations.
        label_names: of the regions.
        subject: identifier.
    """

    white: dict[str, Mesh]
    pial: dict[str, Mesh]
    image: Volume | None
    labels: dict[str, Tensor]
    label_names: tuple[str, ...]
    subject: str


def synthesis_subjects(
    dataset_dir: str | os.PathLike[str], *, image: bool = False, strict: bool = True
) -> list[dict[str, Any]]:
    """List the subjects of a dataset that have white or pial surfaces.

    The image is the first of ``mri/T1.mgz``, ``mri/orig.mgz``, ``mri/T1.nii.gz``, ``T1.nii.gz``, ``T1w.nii.gz``, or
    ``anat/*_T1w.nii.gz``. A subject may have one hemisphere only.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        image: whether each must have an image.
        strict: False lists subjects with missing files too; reading them then raises.

    Returns:
        Items sorted by subject: ``subject``, the folder's name; paths ``white`` and ``pial`` by side; and, where the
        files are there, paths ``annot`` by side and ``image``.

    Raises:
        InputFileError: the folder is missing or holds no subject, a file is missing, or two files claim one place.
    """
    folder, places = subject_folders(dataset_dir, _is_subject, _LAYOUT)
    subjects = [place for place in places if _is_subject(place)]
    if not subjects:
        raise no_subject(folder, places, "a white or pial surface", _LAYOUT)
    items = [_item(place, image, strict) for place in subjects]
    for item in items if strict else ():
        for path in (*item["white"].values(), *item["pial"].values(), *filter(None, [item.get("image")])):
            require_file(path, item["subject"])
    return items


def read_synthesis_subject(item: Mapping[str, Any], open_surfaces: bool = False) -> CorticalSurfaces:
    """Read and check the files of one item of :func:`synthesis_subjects`.

    Args:
        item: paths and subject.
        open_surfaces: accept cut and patch surfaces, which are closed over their holes to tell inside from outside.

    Returns:
        The surfaces, and the image.

    Raises:
        InputFileError: a file is missing, damaged, or of another kind.
        GeometryError: a surface is damaged, inside out, of the other hemisphere, without the offset that its image asks
            for, or outside the image.
    """
    subject = str(item["subject"])
    image = _read_image(item["image"], subject) if item.get("image") else None
    meshes: dict[str, dict[str, Mesh]] = {kind: {} for kind in _KINDS}
    for kind in _KINDS:
        for side, path in item[kind].items():
            surface = read_hemisphere_surface(path, subject, side, scanner=True)
            _check(surface, side, image, open_surfaces)
            meshes[kind][side] = surface.mesh
    labels, names = _labels(item, meshes["white"])
    return CorticalSurfaces(meshes["white"], meshes["pial"], image, labels, names, subject)


def _item(place: Path, image: bool, strict: bool) -> dict[str, Any]:
    # A side of which nothing is there is left out; half of one is missed when it is read.
    sides = _native_sides(place)
    gifti = not sides
    sides = sides or _gifti_sides(place)

    def find(side: str, kind: str) -> str:
        return str(find_gifti(place, side, kind, ("surf",), strict) if gifti else place / "surf" / f"{side}.{kind}")

    item: dict[str, Any] = {"subject": Path(os.path.abspath(place)).name}
    item |= {kind: {side: find(side, kind) for side in sides} for kind in _KINDS}
    annotations = {side: _annotation(place, side, gifti, strict) for side in sides}
    found = [place / name for name in _IMAGES] + sorted((place / "anat").glob("*_T1w.nii.gz"))
    present = [str(path) for path in found if os.path.lexists(path)]
    if all(map(os.path.lexists, annotations.values())):
        item["annot"] = annotations
    if present or image:
        item["image"] = present[0] if present else str(place / _IMAGES[0])
    return item


def _annotation(place: Path, side: str, gifti: bool, strict: bool) -> str:
    if gifti:
        return str(find_gifti(place, side, "aparc", ("label",), strict))
    return str(place / "label" / f"{side}.aparc.annot")


def _is_subject(place: Path) -> bool:
    return bool(_native_sides(place) or _gifti_sides(place))


def _native_sides(place: Path) -> list[str]:
    return [side for side in HEMISPHERES if any(os.path.lexists(place / "surf" / f"{side}.{kind}") for kind in _KINDS)]


def _gifti_sides(place: Path) -> list[str]:
    places = [(folder, kind) for folder in gifti_folders(place) for kind in _KINDS]
    return [side for side in HEMISPHERES if any(gifti_files(folder, side, kind, ("surf",)) for folder, kind in places)]


def _read_image(path: str, subject: str) -> Volume:
    # The image may be a mere grid: a constant one does.
    if Path(path).suffix.lower() in (".mgz", ".mgh"):
        return read_mgh(path, subject=subject, constant=True)
    return read_volume(path, ndim=3, subject=subject, constant=True)


def _check(surface: SurfaceFile, side: str, image: Volume | None, open_surfaces: bool) -> None:
    report = check_surface(surface, closed=not open_surfaces, handles=True)
    place = {"file": surface.path, "subject": surface.subject}
    if report.open_edges:
        _log.warning(
            "%s: %d open edges; the surface is closed over its holes", Path(surface.path).name, report.open_edges
        )
    if not signed_volume(surface.mesh) > 0:
        raise GeometryError(
            "the surface is inside out: flipped faces, or mirrored, as of the other hemisphere",
            found=f"signed volume {signed_volume(surface.mesh):.6g} mm^3",
            expected="faces counter-clockwise seen from outside, a positive volume",
            remedy="check which hemisphere the file belongs to, or reverse the order of each face",
            **place,
        )
    require_brain_size(surface)
    require_own_side(surface._replace(mesh=_in_file_axes(surface)), side)
    if image is None:
        return
    offset = surface_offset(image)
    if not is_gifti(surface.path) and not surface.volume_info and np.abs(offset).max() > _OFFSET:
        raise GeometryError(
            "the surface does not say where its origin lies (tkrRAS without c_ras)",
            found="no volume geometry behind its triangles",
            expected=f"c_ras, which is {np.round(offset, 2).tolist()} mm for the image beside it",
            remedy="keep FreeSurfer's own file, or convert by `mris_convert --to-scanner` to GIFTI",
            **place,
        )
    _require_within(surface, image)


def _in_file_axes(surface: SurfaceFile) -> Mesh:
    return surface.mesh._replace(vertices=surface.mesh.vertices - torch.from_numpy(surface.c_ras))


def _require_within(surface: SurfaceFile, image: Volume) -> None:
    vertices = surface.mesh.vertices.numpy()
    points = vertices[:: max(1, len(vertices) // _SAMPLE)]
    inverse = np.linalg.inv(image.affine)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    outside = (np.abs(index + 0.5 - _middle(image)) > _middle(image)).any(1).mean()
    if outside > _OUTSIDE:
        low, high = np.round(points.min(0), 1).tolist(), np.round(points.max(0), 1).tolist()
        raise GeometryError(
            "the surface lies outside the image",
            file=surface.path,
            subject=surface.subject,
            found=f"{outside:.0%} of its vertices outside; it reaches from {low} to {high} mm",
            expected=f"at most {_OUTSIDE:.0%}",
            remedy="check that surface and image are of one subject and in one space",
        )


def _middle(image: Volume) -> NDArray[np.float64]:
    """Half the number of voxels along each axis."""
    return np.array(image.values.shape[:3]) / 2


def _labels(item: Mapping[str, Any], white: Mapping[str, Mesh]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    labels: dict[str, Tensor] = {}
    names: tuple[str, ...] = ()
    for side, path in item.get("annot", {}).items():
        count = len(white[side].vertices)
        if is_gifti(path):
            annotation = read_gifti_labels(path, count, item["subject"], hemisphere=side)
        else:
            annotation = read_annotation(path, count, item["subject"])
        labels[side], names = torch.from_numpy(annotation.labels), annotation.names
    return labels, names
