"""What the meshes of a place on the path say of the cortex, and what its image says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from monai_cortex.data import read_synthesis_subject, read_volume
from monai_cortex.data.cortex_correspondence import cortices_of
from monai_cortex.geometry.distortion import triangle_areas
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.self_intersection import crossing_triangles
from monai_cortex.geometry.topology import signed_volume
from monai_cortex.inferers import ThicknessRecovery, recover_thickness

__all__ = ["START_MM", "MeasuredPlace", "measure_place", "mesh_measures"]

START_MM = 2.5
"""Thickness that every search in an image starts with: what it ends with comes from the image."""


class MeasuredPlace(NamedTuple):
    """Numbers of one place, and what its picture needs.

    Attributes:
        numbers: by name with unit.
        sides: of each hemisphere, numbers by name.
        surfaces: white and pial surface by hemisphere, mm.
        thickness: by hemisphere, true and found at each vertex, mm, ``(2, V)``; NaN where there is no cortex to see.
    """

    numbers: dict[str, float]
    sides: dict[str, dict[str, float]]
    surfaces: dict[str, tuple[Mesh, Mesh]]
    thickness: dict[str, Tensor]


def mesh_measures(white: Mesh, pial: Mesh) -> dict[str, float]:
    """Areas in mm^2, volume of the cortex in mm^3, and triangles of each surface that cut others of it.

    Args:
        white, pial: closed, vertices ``(V, 3)`` in mm.
    """
    return {
        "white_area_mm2": float(triangle_areas(white.vertices, white.faces).sum()),
        "pial_area_mm2": float(triangle_areas(pial.vertices, pial.faces).sum()),
        "cortex_volume_mm3": signed_volume(pial) - signed_volume(white),
        "white_crossing_triangles": float(crossing_triangles(white).sum()),
        "pial_crossing_triangles": float(crossing_triangles(pial).sum()),
    }


def measure_place(subject_dir: Path, image_file: Path) -> MeasuredPlace:
    """Measure the meshes of one place, and find them again in its image.

    Args:
        subject_dir: folder with its surfaces.
        image_file: drawn of them.
    """
    (item,) = cortices_of(subject_dir)
    cortex = read_synthesis_subject(item)
    surfaces = {side: (white, cortex.pial[side]) for side, white in cortex.white.items()}
    image = read_volume(image_file)
    recovery = recover_thickness(torch.from_numpy(image.values), torch.from_numpy(image.affine), surfaces, START_MM)
    sides = {side: mesh_measures(*pair) for side, pair in surfaces.items()}
    counts = [len(white.vertices) for white, _ in surfaces.values()]
    both = torch.stack([recovery.true, recovery.found]).where(recovery.seen, torch.nan)
    thickness = dict(zip(surfaces, both.split(counts, 1), strict=True))
    for side, values in thickness.items():
        sides[side] |= _means(values)
    return MeasuredPlace(_numbers(recovery, both, sides), sides, surfaces, thickness)


def _means(both: Tensor) -> dict[str, float]:
    true, found = both.nanmean(1).tolist()
    return {"thickness_mm": true, "found_thickness_mm": found}


def _numbers(recovery: ThicknessRecovery, both: Tensor, sides: dict[str, dict[str, Any]]) -> dict[str, float]:
    sums = {name: sum(side[name] for side in sides.values()) for name in _adding_up(sides)}
    return {
        **_means(both),
        "thickness_bias_mm": float((both[1] - both[0]).nanmean()),
        "thickness_error_mm": float((both[1] - both[0]).abs().nanmean()),
        "white_found": recovery.white_found,
        "pial_found": recovery.pial_found,
        **sums,
    }


def _adding_up(sides: dict[str, dict[str, Any]]) -> list[str]:
    """Names of what adds up over hemispheres."""
    return [name for name in next(iter(sides.values())) if "thickness" not in name]
