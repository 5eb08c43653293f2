"""The template fsaverage5, which ships inside nilearn, in FreeSurfer's layout: as it is, and mirrored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from monai_cortex.geometry.mesh import Mesh

from .atomic import atomic_folder
from .freesurfer import write_morph, write_surface_geometry
from .gifti import read_gifti_surface, read_gifti_values
from .sample_packages import missing_package
from .sample_record import write_sample_record
from .volume_geometry import centered_volume

__all__ = [
    "fsaverage5_surfaces",
    "sample_target",
    "write_fsaverage5",
    "write_fsaverage5_cortex",
    "write_mirrored_fsaverage5",
]

_SURFACES = {"sphere": "sphere", "inflated": "infl", "white": "white", "pial": "pial"}
_CORTICAL = ("white", "pial")  # which lie where the brain does
_VALUES = {"sulc": "sulc", "curv": "curv"}
_SIDES = {"lh": "left", "rh": "right"}
_OTHER = {"lh": "rh", "rh": "lh"}
_RADIUS = 100
_FSAVERAGE5 = {
    "name": "fsaverage5",
    "source": "nilearn.datasets.fetch_surf_fsaverage('fsaverage5'), shipped inside the nilearn package",
    "license": "FreeSurfer Software License; nilearn, which ships the files, is BSD-3-Clause and names none for them",
    "citation": "Fischl et al., Human Brain Mapping 8(4):272-284, 1999, "
    "doi:10.1002/(SICI)1097-0193(1999)8:4<272::AID-HBM10>3.0.CO;2-4",
    "content": "average of 40 people, 10242 vertices a hemisphere: sphere, inflated, white and pial surface in mm, "
    "sulcal depth and curvature",
    "orientation": "as shipped; the sphere scaled to a radius of exactly 100 mm",
}
_MIRRORED = {
    **_FSAVERAGE5,
    "name": "fsaverage5_mirrored",
    "orientation": "lh is the right hemisphere with x negated and each face reversed, rh the left one",
}
_CORTEX = {
    **_FSAVERAGE5,
    "content": "average of 40 people, 10242 vertices a hemisphere: white and pial surface in mm; no image",
    "orientation": "as shipped: MNI305, RAS+ mm; the files name a volume around the origin, c_ras 0",
}


def sample_target(output_dir: str | os.PathLike[str]) -> str:
    """Folder of fsaverage5, the fixed subject that samples are registered to, written on the first call.

    Args:
        output_dir: it goes to ``target/fsaverage5`` below it.

    Returns:
        Path of the subject's folder, complete also where several processes ask at once.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    place = Path(output_dir) / "target" / "fsaverage5"
    if not place.is_dir():
        with atomic_folder(place, replace=False) as staging:
            write_fsaverage5(staging)
    return str(place)


def write_fsaverage5(folder: Path) -> None:
    """Write both hemispheres of fsaverage5 to ``surf`` below a folder, and ``SOURCE.json``.

    Args:
        folder: of the subject.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    _write(folder, _FSAVERAGE5, mirrored=False)


def write_mirrored_fsaverage5(folder: Path) -> None:
    """Write fsaverage5 with its hemispheres mirrored, as :func:`write_fsaverage5`: other folding, 17 degrees off.

    Args:
        folder: of the subject.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    _write(folder, _MIRRORED, mirrored=True)


def write_fsaverage5_cortex(folder: Path) -> None:
    """Write the white and pial surfaces of fsaverage5 to ``surf`` below a folder, and ``SOURCE.json``.

    Args:
        folder: of the subject.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    for kind in ("white", "pial"):
        for side, mesh in fsaverage5_surfaces(kind).items():
            write_surface_geometry(folder / "surf" / f"{side}.{kind}", *mesh, centered_volume("../mri/orig.mgz"))
    write_sample_record(folder, _CORTEX)


def fsaverage5_surfaces(name: str) -> dict[str, Mesh]:
    """One kind of surface of fsaverage5.

    Args:
        name: nilearn's word for it, such as "white" or "pial".

    Returns:
        By "lh" and "rh": 10,242 vertices ``(V, 3)`` in mm, 20,480 faces, the same for all kinds.

    Raises:
        ConfigError: nilearn, which ships the files, is not installed.
    """
    files = _nilearn_files()
    return {side: read_gifti_surface(files[f"{name}_{theirs}"]).mesh for side, theirs in _SIDES.items()}


def _write(folder: Path, record: dict[str, str], *, mirrored: bool) -> None:
    files = _nilearn_files()
    for side in _SIDES:
        source = _OTHER[side] if mirrored else side
        for name, theirs in _SURFACES.items():
            mesh = read_gifti_surface(files[f"{theirs}_{_SIDES[source]}"]).mesh
            if name == "sphere":
                mesh = mesh._replace(vertices=_RADIUS * torch.nn.functional.normalize(mesh.vertices, dim=1))
            place = centered_volume("../mri/orig.mgz") if name in _CORTICAL else {}
            write_surface_geometry(folder / "surf" / f"{side}.{name}", *(_mirror(mesh) if mirrored else mesh), place)
        for name, theirs in _VALUES.items():
            path = files[f"{theirs}_{_SIDES[source]}"]
            values = read_gifti_values(path, len(mesh.vertices), hemisphere=source)
            write_morph(folder / "surf" / f"{side}.{name}", values, len(mesh.faces))
    write_sample_record(folder, record)


def _mirror(mesh: Mesh) -> Mesh:
    # A mirror turns faces inward; reversed, they face outward again.
    return Mesh(mesh.vertices * mesh.vertices.new_tensor([-1, 1, 1]), mesh.faces.flip(1))


def _nilearn_files() -> dict[str, Any]:
    try:
        from nilearn.datasets import fetch_surf_fsaverage  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise missing_package("nilearn") from error
    return dict(fetch_surf_fsaverage("fsaverage5"))
