"""Synthetic people as files of FreeSurfer's layout, with the registration that should be found."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import (
    CorticalHemisphere,
    atomic_folder,
    registration_target,
    sample_target,
    write_json,
    write_morph,
    write_surface_geometry,
)
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.simulate.cortical_population import CorticalPopulation, SyntheticCortex
from monai_cortex.simulate.population_files import read_population

__all__ = ["mean_cortex", "population_around", "simulate_cortex", "write_synthetic_cortex", "write_synthetic_cortices"]

_RADIUS = 100.0
_SIDES = ("lh", "rh")
_DEVIATION = 0.5  # of people from the mean, over the mean's own over the sphere: what 904 people have
_ANGLES = (2.0, 10.0)


def population_around(hemisphere: CorticalHemisphere) -> CorticalPopulation:
    """People whose features deviate from one hemisphere's by half of what these vary by over the sphere.

    Args:
        hemisphere: of a template, values ``(C, V)``.
    """
    mean = SphereMap(hemisphere.sphere, hemisphere.values)
    deviation = _DEVIATION * mean.values.std(1, keepdim=True).expand_as(mean.values)
    return CorticalPopulation(mean, SphereMap(hemisphere.sphere, deviation))


def simulate_cortex(
    populations: Mapping[str, CorticalPopulation], seed: int, residual: float = 1.0
) -> dict[str, tuple[SyntheticCortex, Tensor]]:
    """Draw one person, deformed by 2 to 10 degrees on average and turned at random.

    Args:
        populations: by "lh" and "rh".
        seed: of all that is left to chance.
        residual: factor of the population's deviation; 0 gives the mean's own folds.

    Returns:
        By side, the person and the rotation ``(3, 3)`` that its sphere is turned by.
    """
    generator = torch.Generator().manual_seed(seed)
    people = {}
    for side, population in populations.items():
        low, high = map(math.radians, _ANGLES)
        angle = low + (high - low) * float(torch.rand((), generator=generator))
        people[side] = population.draw(angle, generator, residual), random_rotation(generator)
    return people


def mean_cortex(populations: Mapping[str, CorticalPopulation]) -> dict[str, tuple[SyntheticCortex, Tensor]]:
    """The mean itself, in its own place, as :func:`simulate_cortex` gives people: what these are registered to.

    Args:
        populations: by "lh" and "rh".
    """
    still = torch.eye(3, dtype=torch.float64)
    return {side: (SyntheticCortex(p.mean, p.mesh.vertices), still) for side, p in populations.items()}


def write_synthetic_cortices(
    folder: str | os.PathLike[str], subjects: int, seed: int = 0, population: str | os.PathLike[str] | None = None
) -> None:
    """Write synthetic people, ``synthetic-0000`` and so on.

    Args:
        folder: dataset folder.
        subjects: how many.
        seed: of the first one; the others have the next numbers.
        population: folder that :func:`read_population` reads; None makes people around fsaverage5.

    Raises:
        ConfigError: nilearn, which ships fsaverage5, is not installed.
        InputFileError: a file of the population is missing or damaged.
    """
    populations = {side: read_population(population, side) for side in _SIDES} if population else _fsaverage5()
    for number in range(seed, seed + subjects):
        people = simulate_cortex(populations, number)
        write_synthetic_cortex(Path(folder) / f"synthetic-{number:04d}", people, populations["lh"].mesh)


def _fsaverage5() -> dict[str, CorticalPopulation]:
    with TemporaryDirectory() as place:
        template = registration_target(sample_target(place))
    return {side: population_around(hemisphere) for side, hemisphere in template.items()}


def write_synthetic_cortex(
    folder: str | os.PathLike[str],
    people: Mapping[str, tuple[SyntheticCortex, Tensor]],
    mesh: Mesh,
    features: tuple[str, ...] = ("sulc",),
) -> None:
    """Write a person as a folder that appears when it is complete.

    Holds ``surf/?h.sphere``, the features, ``surf/?h.sphere.true.reg`` (where the vertices belong on the mean's sphere)
    and ``SIMULATION.json``.

    Args:
        folder: of the subject; replaced if it exists.
        people: result of :func:`simulate_cortex`.
        mesh: icosphere of the population.
        features: names of the values' rows.
    """
    with atomic_folder(Path(folder), replace=True) as staging:
        surf = staging / "surf"
        surf.mkdir()
        faces = mesh.faces.numpy()
        for side, (person, rotation) in people.items():
            for name, points in (("sphere", mesh.vertices @ rotation.T), ("sphere.true.reg", person.places)):
                write_surface_geometry(surf / f"{side}.{name}", _RADIUS * points.numpy(), faces)
            for name, values in zip(features, person.values, strict=True):
                write_morph(surf / f"{side}.{name}", values.numpy().astype(np.float32), len(faces))
        record = {"synthetic": True, "rotation": {side: turn.tolist() for side, (_, turn) in people.items()}}
        write_json(staging / "SIMULATION.json", record)
