"""Which vertices of different people's surfaces are the same place: by their numbers, or on registered spheres."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from monai_cortex.errors import ConfigError, GeometryError, InputFileError
from monai_cortex.geometry.cortex_features import CortexMeshes
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere_map import SphereMap

from .hemisphere_file import read_hemisphere_surface
from .surface_checks import check_sphere, require_same_vertices
from .surface_names import HEMISPHERES
from .synthesis_subjects import read_synthesis_subject, synthesis_subjects

__all__ = ["Correspondence", "cortices_of", "find_correspondence", "read_corresponding"]

_SPHERES = ("sphere.mcx.reg", "sphere.reg")


class Correspondence(NamedTuple):
    """Where the vertices of a shape lie.

    Attributes:
        sides: "lh", "rh" or both.
        faces: triangles of each side, ``(F, 3)``.
        sphere: name of the registered spheres that people are brought over by, such as "sphere.mcx.reg"; "" where
            their meshes are equal.
        level: of the icosphere whose vertices stand for places on these spheres; -1 where meshes are equal.
    """

    sides: tuple[str, ...]
    faces: tuple[Tensor, ...]
    sphere: str
    level: int


def cortices_of(dataset_dir: str | os.PathLike[str], hemispheres: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Items of :func:`monai_cortex.data.synthesis_subjects`, all with the same hemispheres.

    Args:
        dataset_dir: folder of subjects.
        hemispheres: "lh", "rh" or both; None takes all that the subjects have.

    Returns:
        Items, with the paths of the wanted hemispheres only.

    Raises:
        ConfigError: there is no such hemisphere.
        InputFileError: no subject, a file is missing, or the subjects differ in their hemispheres.
    """
    items = synthesis_subjects(dataset_dir)
    sides = tuple(items[0]["white"]) if hemispheres is None else tuple(hemispheres)
    if not sides or not set(sides) <= set(HEMISPHERES) or len(set(sides)) < len(sides):
        raise ConfigError(
            "no such hemispheres", found=",".join(sides), expected="lh, rh or lh,rh", remedy="name each of them once"
        )
    for item in items:
        found = tuple(item["white"])
        if set(sides) - set(found) or (hemispheres is None and found != sides):
            raise InputFileError(
                "the subjects differ in their hemispheres",
                file=Path(dataset_dir) / item["subject"],
                subject=item["subject"],
                found=" and ".join(found),
                expected=" and ".join(sides),
                remedy="make the missing surfaces, take the subject out, or name one hemisphere (--hemispheres lh)",
            )
    kinds = ("white", "pial")
    return [
        {key: value for key, value in item.items() if key != "annot"}
        | {kind: {side: item[kind][side] for side in sides} for kind in kinds}
        for item in items
    ]


def find_correspondence(
    items: Sequence[Mapping[str, Any]],
    dataset_dir: str | os.PathLike[str],
    spheres_dir: str | os.PathLike[str] | None = None,
    level: int = 6,
) -> Correspondence:
    """Take equal triangles as they are; otherwise, or where ``spheres_dir`` is named, look for registered spheres.

    Args:
        items: of :func:`cortices_of`.
        dataset_dir: folder of subjects, in which spheres are looked for, as ``<subject>/surf/?h.sphere.mcx.reg`` for
            all or ``?h.sphere.reg`` for all.
        spheres_dir: another folder, such as the output of the bundle spherical_diffusion_registration.
        level: of the icosphere, a count of subdivisions; 6 has 40,962 vertices, 5 has 10,242.

    Raises:
        GeometryError: meshes differ, and there are no spheres of one registration for all.
        InputFileError: a file is missing or damaged.
    """
    sides = tuple(items[0]["white"])
    different = ""
    if spheres_dir is None:
        faces = _faces(items[0])
        different = next((item["subject"] for item in items if not _equal(_faces(item), faces)), "")
        if not different:
            return Correspondence(sides, faces, "", -1)
    folder = dataset_dir if spheres_dir is None else spheres_dir
    lacking = {
        name: [path for item in items for side in sides if not (path := _sphere(folder, item, side, name)).exists()]
        for name in _SPHERES
    }
    for name, missing in lacking.items():
        if not missing:
            return Correspondence(sides, (icosphere(level).faces,) * len(sides), name, level)
    raise GeometryError(
        "the vertices of the subjects do not correspond, and not all have registered spheres",
        file=lacking[_SPHERES[0]][0],
        subject=different,
        found=f"no {_SPHERES[0]} ({len(lacking[_SPHERES[0]])} missing), no {_SPHERES[1]} ({len(lacking[_SPHERES[1]])})"
        + (f", and other triangles than those of {items[0]['subject']}" if different else ""),
        expected="surfaces resampled to one mesh, or spheres registered to one target for every subject",
        remedy="run the bundle spherical_diffusion_registration, and name its output as --spheres",
    )


def read_corresponding(
    item: Mapping[str, Any], correspondence: Correspondence, spheres_dir: str | os.PathLike[str]
) -> CortexMeshes:
    """Read the surfaces of a person, and bring them to the vertices of a shape.

    Args:
        item: of :func:`cortices_of`.
        correspondence: of the shape.
        spheres_dir: folder of subjects with registered spheres; not looked at where meshes are equal.

    Returns:
        Meshes ``(V, 3)`` in mm, RAS+; brought over by spheres, their vertices lie on the person's triangles.

    Raises:
        InputFileError: a file is missing or damaged.
        GeometryError: a surface or sphere is damaged or belongs to other surfaces, or has other triangles than the
            shape.
    """
    cortex = read_synthesis_subject(item)
    pairs = []
    for side, faces in zip(correspondence.sides, correspondence.faces, strict=True):
        pair = cortex.white[side], cortex.pial[side]
        _require_equal(pair[1].faces, pair[0].faces, item, side, "pial", "those of the white surface")
        if correspondence.sphere:
            pair = _on_sphere(pair, item, _sphere(spheres_dir, item, side, correspondence.sphere), correspondence.level)
        else:
            _require_equal(pair[0].faces, faces, item, side, "white", "those of the shape model")
        pairs.append(pair)
    return CortexMeshes([white for white, _ in pairs], [pial for _, pial in pairs])


def _on_sphere(pair: tuple[Mesh, Mesh], item: Mapping[str, Any], path: Path, level: int) -> tuple[Mesh, Mesh]:
    """White and pial surface at the places that the vertices of an icosphere have on a registered sphere."""
    side, subject = path.name[:2], item["subject"]
    sphere, _ = check_sphere(read_hemisphere_surface(path, subject, side))
    counts = {str(item["white"][side]): len(pair[0].vertices), str(path): len(sphere.vertices)}
    require_same_vertices(counts, subject)
    template = icosphere(level)
    values = torch.cat([mesh.vertices.T for mesh in pair])
    white, pial = SphereMap(sphere, values).at(template.vertices).T.split(3, 1)
    return Mesh(white.contiguous(), template.faces), Mesh(pial.contiguous(), template.faces)


def _faces(item: Mapping[str, Any]) -> tuple[Tensor, ...]:
    surfaces = (read_hemisphere_surface(path, item["subject"], side) for side, path in item["white"].items())
    return tuple(surface.mesh.faces for surface in surfaces)


def _equal(faces: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(faces, others, strict=True))


def _sphere(folder: str | os.PathLike[str], item: Mapping[str, Any], side: str, name: str) -> Path:
    return Path(folder) / item["subject"] / "surf" / f"{side}.{name}"


def _require_equal(faces: Tensor, wanted: Tensor, item: Mapping[str, Any], side: str, kind: str, expected: str) -> None:
    if not torch.equal(faces, wanted):
        raise GeometryError(
            f"the {kind} surface has other triangles",
            file=item[kind][side],
            subject=item["subject"],
            found=f"{len(faces):,} triangles of {int(faces.max()) + 1:,} vertices",
            expected=f"{len(wanted):,} triangles of {int(wanted.max()) + 1:,} vertices, exactly {expected}",
            remedy="use surfaces of one reconstruction, resampled as those that the model was fitted to",
        )
