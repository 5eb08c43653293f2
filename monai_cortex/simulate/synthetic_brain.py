"""Synthetic people with cortical surfaces and an image of them, as files of FreeSurfer's layout."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import atomic_folder, write_json, write_mgh, write_surface_geometry
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.simulate.cortical_anatomy import CorticalSurfaces, CorticalVariation, template_cortex, vary_cortex
from monai_cortex.simulate.cortical_image import SimulatedT1, simulate_t1
from monai_cortex.simulate.scanner import SCANNERS, Scanner

__all__ = ["brain_grid", "write_synthetic_brain", "write_synthetic_brains"]

_MARGIN = 8.0
_OFFSET = 77  # of the seeds of spacings from those of people
# Left, inferior, anterior: where a grid runs so, FreeSurfer's tkrRAS differs from the scanner's axes by c_ras alone.
_AXES = torch.tensor([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64, device="cpu")


def brain_grid(
    meshes: Sequence[Mesh], spacing: float = 1.4, generator: torch.Generator | None = None, margin: float = _MARGIN
) -> tuple[tuple[int, int, int], Tensor]:
    """Isotropic grid around surfaces, along FreeSurfer's axes (left, inferior, anterior).

    Args:
        meshes: vertices ``(V, 3)`` in mm, RAS+.
        spacing: edge of a voxel in mm.
        generator: moves the origin by up to a voxel along each axis, so that surfaces do not keep their place in the
            voxels.
        margin: around the surfaces in mm, at least.

    Returns:
        Shape ``(I, J, K)``, and the affine, voxel indices to RAS+ mm ``(4, 4)`` float64.

    Raises:
        ValueError: if the spacing is not positive.
    """
    if not 0 < spacing < math.inf:
        raise ValueError(f"the spacing is the positive edge of a voxel in mm, got {spacing}.")
    points = torch.cat([mesh.vertices for mesh in meshes]).double() @ _AXES
    low, high = points.amin(0) - margin, points.amax(0) + margin
    start = low - spacing * torch.rand(3, generator=generator, dtype=torch.float64)
    sizes = ((high - start) / spacing).ceil().int() + 1
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3], affine[:3, 3] = spacing * _AXES, _AXES @ start
    i, j, k = sizes.tolist()
    return (i, j, k), affine


def write_synthetic_brains(
    folder: str | os.PathLike[str],
    subjects: int,
    seed: int = 0,
    *,
    scanner: str = "A",
    spacing: float | tuple[float, float] = 1.4,
    level: int = 0,
) -> None:
    """Write synthetic people around fsaverage5, ``synthetic-0000`` and so on.

    Args:
        folder: dataset folder.
        subjects: how many.
        seed: of the first one; the others have the next numbers.
        scanner: name in :data:`monai_cortex.simulate.scanner.SCANNERS`.
        spacing: edge of a voxel in mm; of two numbers, each person has its own between them.
        level: of the meshes, see :func:`template_cortex`.

    Raises:
        ConfigError: nilearn, which ships fsaverage5, is not installed.
        ValueError: there is no such scanner, or the spacing is not positive.
    """
    if scanner not in SCANNERS:
        raise ValueError(f"the scanners are {', '.join(SCANNERS)}, got {scanner!r}.")
    template = template_cortex(level)
    for number in range(seed, seed + subjects):
        place = Path(folder) / f"synthetic-{number:04d}"
        write_synthetic_brain(place, template, number, SCANNERS[scanner], _spacing(spacing, number))


def _spacing(spacing: float | tuple[float, float], seed: int) -> float:
    if not isinstance(spacing, tuple):
        return spacing
    share = float(torch.rand((), generator=torch.Generator().manual_seed(seed + _OFFSET)))
    return round(spacing[0] + (spacing[1] - spacing[0]) * share, 3)


def write_synthetic_brain(
    folder: str | os.PathLike[str],
    template: CorticalSurfaces,
    seed: int,
    scanner: Scanner,
    spacing: float = 1.4,
    variation: CorticalVariation | None = None,
) -> SimulatedT1:
    """Draw a person, image it and write both as a folder that appears when it is complete.

    Holds ``surf/?h.white`` and ``surf/?h.pial`` (tkrRAS, with the volume's geometry), ``mri/T1.mgz`` (float32, along
    FreeSurfer's axes) and ``SIMULATION.json``. The same seed gives the same person on every scanner and grid.

    Args:
        folder: of the subject; replaced if it exists.
        template: see :func:`template_cortex`.
        seed: of all that is left to chance.
        scanner: how tissue becomes gray values.
        spacing: edge of a voxel in mm.
        variation: how much people differ.

    Returns:
        What was written as the image, and its truth.
    """
    variation = variation or CorticalVariation()
    generator = torch.Generator().manual_seed(seed)
    person = vary_cortex(template, generator, variation)
    white, pial = (list(kind.values()) for kind in person)
    shape, affine = brain_grid(pial, spacing, generator)
    scan = simulate_t1(white, pial, shape, affine, scanner, generator)
    info = _volume_info(shape, affine)
    with atomic_folder(Path(folder), replace=True) as staging:
        for name, kind in person._asdict().items():
            for side, mesh in kind.items():
                points = mesh.vertices.numpy() - info["cras"]
                write_surface_geometry(staging / "surf" / f"{side}.{name}", points, mesh.faces.numpy(), info)
        write_mgh(staging / "mri" / "T1.mgz", scan.image.numpy(), affine.numpy())
        record = {"synthetic": True, "seed": seed, "spacing_mm": spacing, "thickness_mm": _thickness(person)}
        write_json(staging / "SIMULATION.json", {**record, "scanner": asdict(scanner), "variation": asdict(variation)})
    return scan


def _volume_info(shape: tuple[int, int, int], affine: Tensor) -> dict[str, Any]:
    """The footer that FreeSurfer writes behind the triangles, with nibabel's keys."""
    matrix = affine.numpy()
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    directions = matrix[:3, :3] / spacing
    return {
        "head": np.array([2, 0, 20]),
        "valid": "1  # volume info valid",
        "filename": "../mri/T1.mgz",
        "volume": np.array(shape),
        "voxelsize": spacing,
        **{f"{axis}ras": direction for axis, direction in zip("xyz", directions.T, strict=True)},
        "cras": (matrix @ [*(size / 2 for size in shape), 1])[:3],
    }


def _thickness(person: CorticalSurfaces) -> dict[str, dict[str, float]]:
    """Distance from each white vertex to its pial partner, in mm; the medial wall left out."""
    found = {}
    for side, white in person.white.items():
        values = (person.pial[side].vertices - white.vertices).norm(dim=1)
        values = values[values > 1]
        found[side] = {"mean": values.mean().item(), "deviation": values.std().item()}
    return found
