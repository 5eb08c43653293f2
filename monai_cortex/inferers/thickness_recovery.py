"""The thickness that an image shows, found without knowing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.atrophy import partner_thickness
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers.surface_reconstruction import jitter_surfaces, reconstruct_surfaces

__all__ = ["ThicknessRecovery", "recover_thickness", "uniform_cortex"]

_CORTEX = 0.5  # mm: thinner, both surfaces are one, as on the medial wall


class ThicknessRecovery(NamedTuple):
    """What was found, at the V vertices of all hemispheres, one after the other.

    Attributes:
        true: thickness of the meshes, mm, ``(V,)``.
        found: thickness of the surfaces found in the image, mm, ``(V,)``.
        seen: where the image shows cortex, bool ``(V,)``: the vertices to measure at.
        white_found, pial_found: share of these that ended at a boundary, in [0, 1].
    """

    true: Tensor
    found: Tensor
    seen: Tensor
    white_found: float
    pial_found: float


def uniform_cortex(white: Mesh, pial: Mesh, thickness_mm: float) -> tuple[Mesh, Mesh]:
    """Surfaces with the same middle and the same directions between partners, but one thickness everywhere.

    Args:
        white, pial: vertices ``(V, 3)`` in mm, the same faces.
        thickness_mm: of the result; where there is less than 0.5 mm between partners, both stay where they are.

    Returns:
        White and pial surface.
    """
    known = partner_thickness(white, pial)
    middle, way = (white.vertices + pial.vertices) / 2, pial.vertices - white.vertices
    half = torch.where(known >= _CORTEX, thickness_mm / 2 / known.clamp_min(_CORTEX), 0.5)[:, None] * way
    return Mesh(middle - half, white.faces), Mesh(middle + half, pial.faces)


def recover_thickness(
    image: Tensor, affine: Tensor, surfaces: Mapping[str, tuple[Mesh, Mesh]], start_mm: float = 2.5, seed: int = 0
) -> ThicknessRecovery:
    """Find white and pial surface again in an image, from a start that says nothing of the thickness.

    The search starts around the true middle surface with one thickness everywhere, both surfaces moved by up to 1 mm
    along their normals at random. In an image without contrast it ends there: the thickness then is the start's.

    Args:
        image: ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        surfaces: white and pial surface by hemisphere, vertices ``(V, 3)`` in mm, which share their faces.
        start_mm: thickness of the start.
        seed: of the jitter.
    """
    # Taken together, since one hemisphere is seen beside the other.
    white, pial = (join_meshes([pair[kind] for pair in surfaces.values()]) for kind in (0, 1))
    start = jitter_surfaces(*uniform_cortex(white, pial, start_mm), generator=torch.Generator().manual_seed(seed))
    found = reconstruct_surfaces(image.double(), affine, *start)
    true = partner_thickness(white, pial).cpu().double()
    thickness = partner_thickness(found.white, found.pial)
    return ThicknessRecovery(true, thickness, found.seen & (true >= _CORTEX), found.white_found, found.pial_found)
