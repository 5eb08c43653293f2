"""A population's mean and deviation, as files of FreeSurfer's morph format."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from monai_cortex.data import check_sphere, read_morph, read_surface_geometry
from monai_cortex.errors import InputFileError
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.simulate.cortical_population import CorticalPopulation

__all__ = ["read_population", "read_population_map"]

_OTHER = {"lh": "rh", "rh": "lh"}
_HEADER = 15  # bytes of a morph file before its float32 values


def read_population_map(
    folder: str | os.PathLike[str], side: str = "lh", kind: str = "mean", feature: str = "sulc"
) -> SphereMap:
    """Read ``?h.*mean.sulc`` or ``?h.*std.sulc``, on the one ``*.sphere`` that has as many vertices.

    A sphere named for the other side, ``rh.sphere`` for the left one, is left out.

    Args:
        folder: of the files, such as those of DeepPrep.
        side: "lh" or "rh".
        kind: "mean" or "std".
        feature: its name.

    Returns:
        Map ``(1, V)``, in the files' unit.

    Raises:
        InputFileError: a file is missing or damaged, or there are several.
        GeometryError: the sphere is no sphere.
    """
    path = _only(Path(folder), f"{side}.*{kind}.{feature}")
    files = [file for file in sorted(Path(folder).glob("*.sphere")) if not file.name.startswith(f"{_OTHER[side]}.")]
    spheres = [check_sphere(read_surface_geometry(file))[0] for file in files]
    sphere = _fitting(spheres, (path.stat().st_size - _HEADER) // 4, path)
    return SphereMap(sphere, torch.as_tensor(read_morph(path, len(sphere.vertices))).double()[None])


def read_population(folder: str | os.PathLike[str], side: str = "lh", feature: str = "sulc") -> CorticalPopulation:
    """Synthetic people around a population's mean, see :func:`read_population_map`."""
    mean, deviation = (read_population_map(folder, side, kind, feature) for kind in ("mean", "std"))
    return CorticalPopulation(mean, deviation)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InputFileError(
            "the population's files are not there, or there are several",
            file=folder / pattern,
            found=", ".join(path.name for path in found) or "none",
            expected="one file of that pattern",
            remedy="name a folder with ?h.*mean.sulc, ?h.*std.sulc and their *.sphere",
        )
    return found[0]


def _fitting(spheres: list[Mesh], count: int, path: Path) -> Mesh:
    fitting = [sphere for sphere in spheres if len(sphere.vertices) == count]
    if len(fitting) == 1:
        return fitting[0]
    raise InputFileError(
        f"{len(fitting) or 'no'} spheres in the folder have as many vertices as the map",
        file=path,
        found=f"{count:,} values; spheres with {', '.join(f'{len(s.vertices):,}' for s in spheres) or 'none'}",
        expected="one sphere with a vertex for each value",
        remedy="put the template's sphere beside the map, and no other one of its size",
    )
