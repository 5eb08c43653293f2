"""How well an image shows the surfaces that it was drawn from, and what it has in common with another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from monai_cortex.geometry.atrophy import partner_thickness
from monai_cortex.geometry.joined_mesh import join_meshes
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.inferers.surface_reconstruction import jitter_surfaces, reconstruct_surfaces
from monai_cortex.metrics import cortical_thickness_change, image_similarity, surface_distance

__all__ = ["atrophy_response", "image_errors", "surface_errors"]

_CORTEX = 0.5  # mm: thinner, both surfaces are one, as on the medial wall
_JITTER = 1.0  # mm: the start must not be the answer
_NEAR = 3.0  # mm around the pial surface that still counts as brain


def surface_errors(
    image: Tensor, affine: Tensor, surfaces: Mapping[str, tuple[Mesh, Mesh]], seed: int = 0, jitter_mm: float = _JITTER
) -> dict[str, float]:
    """Find white and pial surfaces again in an image, from a jittered start, and hold them against their truth.

    Args:
        image: ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        surfaces: white and pial surface by hemisphere, vertices ``(V, 3)`` in mm, which share their faces.
        seed: of the jitter.
        jitter_mm: largest move of the start along its normals.

    Returns:
        ``white_assd_mm``, ``white_hd90_mm``, ``white_found`` (share of vertices at a boundary), the same of pial, and
        ``thickness_error_mm``, mean absolute difference of the partners' distances; over what the image shows of the
        cortex of all hemispheres.
    """
    # Taken together, since one hemisphere is seen beside the other.
    white, pial = (join_meshes([pair[kind] for pair in surfaces.values()]) for kind in (0, 1))
    start = jitter_surfaces(white, pial, jitter_mm, torch.Generator().manual_seed(seed))
    found = reconstruct_surfaces(image.double(), affine, *start)
    seen = found.seen & (partner_thickness(white, pial) >= _CORTEX)
    if not seen.any():
        seen = torch.ones_like(seen)
    change = partner_thickness(found.white, found.pial) - partner_thickness(white, pial)
    result = {"thickness_error_mm": float(change[seen].abs().mean())}
    for name, truth in (("white", white), ("pial", pial)):
        distance = surface_distance(getattr(found, name), truth, (seen, seen))
        result |= {f"{name}_assd_mm": float(distance.assd), f"{name}_hd90_mm": float(distance.hd90)}
        result[f"{name}_found"] = float(getattr(found, f"{name}_found"))
    return result


def image_errors(image: Tensor, other: Tensor, pial_distance: Tensor) -> dict[str, float]:
    """Compare two images in [0, 1] on one grid, ``(I, J, K)`` each.

    Args:
        image: drawn.
        other: true.
        pial_distance: signed distance from the pial surface, mm; up to 3 mm outside counts as brain.

    Returns:
        ``ssim_full`` (padded with zeros, background included), ``ssim_brain``, ``psnr_db``, ``mae``, ``mae_brain``.
    """
    brain = pial_distance < _NEAR
    found = image_similarity(image, other, brain)
    inside = float((image - other).abs()[brain].mean()) if brain.any() else float("nan")
    names = {"ssim_full": found.ssim_full, "ssim_brain": found.ssim_brain, "psnr_db": found.psnr, "mae": found.mae}
    return {name: float(value) for name, value in names.items()} | {"mae_brain": inside}


def atrophy_response(
    control: Tensor,
    image: Tensor,
    affine: Tensor,
    surfaces: Sequence[tuple[Mesh, Mesh, Mesh]],
    regions: Sequence[Tensor],
) -> dict[str, float]:
    """Thinning that an image shows against its control, and the thinning that was asked for.

    Args:
        control, image: drawn with equal noise, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        surfaces: of each hemisphere white, pial and atrophied pial surface.
        regions: weights of the dose, ``(V,)`` each.

    Returns:
        ``true_mm`` and ``estimated_mm``, means over the region; ``error_mm``, mean absolute error at its vertices;
        and, if the weight is 0 anywhere, ``drift_mm``, mean change there.
    """
    parts = []
    for (white, pial, thinner), region in zip(surfaces, regions, strict=True):
        found = cortical_thickness_change(control, image, affine, white, pial, region)
        truth = partner_thickness(white, pial) - partner_thickness(white, thinner)
        parts.append(torch.stack([found.change, truth.to(found.change), region.to(found.change)]))
    change, truth, weight = torch.cat(parts, 1)
    known = ~change.isnan()
    inside, outside = known & (weight > 0), known & (weight == 0)
    numbers = {"true_mm": truth[inside], "estimated_mm": change[inside], "error_mm": (change - truth)[inside].abs()}
    numbers |= {"drift_mm": change[outside]} if outside.any() else {}
    return {name: float(values.mean()) for name, values in numbers.items()}
