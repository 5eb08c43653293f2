"""Three people for a trajectory of cortices, whose folders hold what registration and synthesis read."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import torch

from monai_cortex.data import (
    atomic_folder,
    read_surface_geometry,
    write_json,
    write_samples,
    write_surface_geometry,
)
from monai_cortex.data.cortical_samples import write_fsaverage5
from monai_cortex.data.volume_geometry import centered_volume
from monai_cortex.geometry.atrophy import atrophy
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces, CorticalVariation, vary_cortex

__all__ = ["write_trajectory_people"]

_SIDES = ("lh", "rh")
_RADIUS = 100.0
_ANGLE = math.radians(5)  # that a vertex of the synthetic sphere lies from where the mirrored one has it, on average
_MIRRORED, _SYNTHETIC = "fsaverage5_mirrored", "synthetic_thin"
_DOSE = 0.5  # mm of cortex that the synthetic person has lost: what is measured has to fall along the way
_VARIATION = CorticalVariation(turn=0.0, scale=(0.97, 1.0))  # a shape model takes poses out anyway


def write_trajectory_people(folder: Path, seed: int = 0) -> None:
    """Write the template fsaverage5, its mirror image, and a synthetic person; those that are there are left.

    The first two are averages of 40 real people, left and right halves of other folds. The third is the second,
    smoothly deformed, with a cortex that has lost 0.5 mm, and its sphere warped by 5 degrees and turned: where its
    vertices belong is known, since they have the numbers of the second one's.

    Args:
        folder: dataset folder; gets ``fsaverage5``, ``fsaverage5_mirrored`` and ``synthetic_thin`` with
            ``surf/?h.{white,pial,sphere,sulc,curv}``.
        seed: of the synthetic person.

    Raises:
        ConfigError: nilearn, which ships fsaverage5, is not installed.
    """
    if not (folder / "fsaverage5").is_dir():
        with atomic_folder(folder / "fsaverage5", replace=False) as staging:
            write_fsaverage5(staging)
    write_samples("spherical_diffusion_registration", folder, replace=False, subject=_MIRRORED)
    if not (folder / _SYNTHETIC).is_dir():
        with atomic_folder(folder / _SYNTHETIC, replace=False) as staging:
            _write_synthetic(staging / "surf", folder / _MIRRORED / "surf", torch.Generator().manual_seed(seed))
            write_json(staging / "SIMULATION.json", {"synthetic": True, "seed": seed, "made_from": _MIRRORED})


def _write_synthetic(surf: Path, source: Path, generator: torch.Generator) -> None:
    def read(kind: str) -> dict[str, Mesh]:
        return {side: read_surface_geometry(source / f"{side}.{kind}").mesh for side in _SIDES}

    surf.mkdir()
    person = vary_cortex(CorticalSurfaces(read("white"), read("pial")), generator, _VARIATION)
    for side, sphere in read("sphere").items():
        unit = Mesh(torch.nn.functional.normalize(sphere.vertices.double(), dim=1), sphere.faces)
        places = random_warp(unit, _ANGLE, generator) @ random_rotation(generator, 0.3).T
        white = person.white[side]
        meshes = {"white": white, "pial": atrophy(white, person.pial[side], _DOSE)}
        meshes["sphere"] = Mesh(_RADIUS * places, unit.faces)
        for kind, mesh in meshes.items():
            place = surf / f"{side}.{kind}"
            write_surface_geometry(place, mesh.vertices.numpy(), mesh.faces.numpy(), centered_volume())
        for kind in ("sulc", "curv"):
            shutil.copy(source / f"{side}.{kind}", surf / f"{side}.{kind}")
