"""Hemispheres of a dataset folder, FreeSurfer's layout or GIFTI, as items; and what an item's files hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

from .annotation import Annotation, read_annotation
from .dataset_folder import no_subject, subject_folders
from .freesurfer import read_morph
from .gifti import read_gifti_labels, read_gifti_values
from .hemisphere_file import (
    find_gifti,
    gifti_folders,
    read_hemisphere_surface,
    require_brain_size,
    require_own_side,
    require_side_of_name,
)
from .input_file import require_file
from .surface_checks import SphereReport, check_sphere, check_surface, require_same_vertices
from .surface_names import HEMISPHERES, gifti_files, is_gifti

__all__ = ["CorticalHemisphere", "cortical_subjects", "read_cortical_subject"]

_LAYOUT = (
    "<subject>/surf/{lh,rh}.{sphere,sulc,curv,inflated.H} [label/?h.aparc.annot], "
    "or GIFTI: <subject>/*.{L,R}.sphere*.surf.gii and *.{L,R}.sulc*.shape.gii, or *_hemi-{L,R}_*"
)
_SURFACES = ("inflated", "white")
_ATLAS = "aparc"
_MESHES, _VALUES, _LABELS = ("surf",), ("shape", "func"), ("label",)


class CorticalHemisphere(NamedTuple):
    """One hemisphere of one subject, checked.

    Attributes:
        sphere: unit vectors ``(V, 3)`` float64 and faces ``(F, 3)``.
        sphere_report: measures of the sphere as it was in its file.
        values: of the C features in the item's order, in their files' units, ``(C, V)`` float64.
        labels: region of each vertex, ``(V,)`` int64, -1 for none; None where there is no annotation.
        label_names: of the regions.
        inflated: inflated surface in mm, ``(V, 3)`` and ``(F, 3)``; None where there is none.
        white: white surface in mm, ``(V, 3)`` and ``(F, 3)``; None where there is none.
        volume_info: of the sphere's file, for the files that are written in its place.
        subject: identifier.
        hemisphere: "lh" or "rh".
    """

    sphere: Mesh
    sphere_report: SphereReport
    values: Tensor
    labels: Tensor | None
    label_names: tuple[str, ...]
    inflated: Mesh | None
    white: Mesh | None
    volume_info: dict[str, Any]
    subject: str
    hemisphere: str


def cortical_subjects(
    dataset_dir: str | os.PathLike[str],
    hemispheres: Sequence[str] = HEMISPHERES,
    features: Sequence[str] = ("sulc",),
    *,
    strict: bool = True,
) -> list[dict[str, Any]]:
    """List the hemispheres of a dataset: sub-folders with a ``surf`` folder of FreeSurfer, or with GIFTI spheres.

    GIFTI files lie in the subject's folder or in its ``anat``. Names of registered spheres are left out.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        hemispheres: "lh", "rh" or both.
        features: names such as "sulc", "curv" or "inflated.H".
        strict: False lists hemispheres with missing files too, so that one of them does not cost the others; reading
            them then raises.

    Returns:
        Items sorted by subject, then as ``hemispheres``: ``subject``, the folder's name; ``hemisphere``; the path
        ``sphere``; the paths ``features`` by name; and, where the files are there, ``annot``, ``inflated``, ``white``.

    Raises:
        InputFileError: the folder is missing or holds no subject, a file is missing, or two files claim one place.
    """
    unknown = set(hemispheres) - set(HEMISPHERES)
    if unknown or not hemispheres or not features:
        raise ValueError(f'need features, and hemispheres of "lh" and "rh", got {features!r} and {hemispheres!r}.')
    folder, places = subject_folders(dataset_dir, _is_subject, _LAYOUT)
    subjects = [place for place in places if _is_subject(place)]
    if not subjects:
        raise no_subject(folder, places, "a surf folder or GIFTI spheres", _LAYOUT)
    items = [_item(place, side, features, strict) for place in subjects for side in hemispheres]
    for item in items if strict else ():
        for path in (item["sphere"], *item["features"].values()):
            require_file(path, item["subject"])
    return items


def read_cortical_subject(item: Mapping[str, Any]) -> CorticalHemisphere:
    """Read and check the files of one item of :func:`cortical_subjects`.

    Args:
        item: paths, hemisphere and subject.

    Returns:
        The hemisphere.

    Raises:
        InputFileError: a file is missing, damaged, or of another kind.
        GeometryError: a surface is no closed surface, the sphere no sphere, or the files do not belong together.
    """
    subject, side = str(item["subject"]), str(item["hemisphere"])
    surfaces = {"sphere": read_hemisphere_surface(item["sphere"], subject, side)}
    sphere, report = check_sphere(surfaces["sphere"])
    for name in _SURFACES:
        if name in item:
            surfaces[name] = read_hemisphere_surface(item[name], subject, side)
    require_same_vertices({surface.path: len(surface.mesh.vertices) for surface in surfaces.values()}, subject)
    for name in surfaces.keys() & set(_SURFACES):
        check_surface(surfaces[name])
    if "white" in surfaces:
        require_brain_size(surfaces["white"])
        require_own_side(surfaces["white"], side)
    count = len(sphere.vertices)
    values = [torch.from_numpy(_read_values(path, count, subject, side)) for path in item["features"].values()]
    annotation = _read_labels(item["annot"], count, subject, side) if "annot" in item else None
    meshes = {name: surface.mesh for name, surface in surfaces.items()}
    return CorticalHemisphere(
        sphere=sphere,
        sphere_report=report,
        values=torch.stack(values).double(),
        labels=None if annotation is None else torch.from_numpy(annotation.labels),
        label_names=() if annotation is None else annotation.names,
        inflated=meshes.get("inflated"),
        white=meshes.get("white"),
        volume_info=surfaces["sphere"].volume_info,
        subject=subject,
        hemisphere=side,
    )


def _item(place: Path, side: str, features: Sequence[str], strict: bool) -> dict[str, Any]:
    def find(name: str, kinds: tuple[str, ...]) -> str:
        if _has_gifti(place) and not _has_freesurfer(place):
            return str(find_gifti(place, side, name, kinds, strict))
        return str(place / "label" / f"{side}.{name}.annot" if kinds == _LABELS else place / "surf" / f"{side}.{name}")

    optional = {name: find(name, _MESHES) for name in _SURFACES} | {"annot": find(_ATLAS, _LABELS)}
    return {
        "subject": _name(place),
        "hemisphere": side,
        "sphere": find("sphere", _MESHES),
        "features": {name: find(name, _VALUES) for name in features},
        # A link whose content is absent counts: reading it says how to get the content.
        **{name: path for name, path in optional.items() if os.path.lexists(path)},
    }


def _has_freesurfer(place: Path) -> bool:
    return any(os.path.lexists(place / "surf" / f"{side}.sphere") for side in HEMISPHERES)


def _has_gifti(place: Path) -> bool:
    return any(gifti_files(folder, side, "sphere", _MESHES) for folder in gifti_folders(place) for side in HEMISPHERES)


def _is_subject(place: Path) -> bool:
    return (place / "surf").is_dir() or _has_gifti(place)


def _name(place: Path) -> str:
    return Path(os.path.abspath(place)).name


def _read_values(path: str, vertices: int, subject: str, side: str) -> Any:
    require_side_of_name(path, subject, side)
    if is_gifti(path):
        return read_gifti_values(path, vertices, subject, hemisphere=side)
    return read_morph(path, vertices, subject)


def _read_labels(path: str, vertices: int, subject: str, side: str) -> Annotation:
    require_side_of_name(path, subject, side)
    if is_gifti(path):
        return read_gifti_labels(path, vertices, subject, hemisphere=side)
    return read_annotation(path, vertices, subject)
