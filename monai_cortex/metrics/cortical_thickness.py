"""Thickness of the cortex in an image, along rays whose place is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.atrophy import partner_thickness
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.tissue_levels import TissueLevels, tissue_levels
from monai_cortex.geometry.volume_sampling import ray_crossings, sample_volume

__all__ = ["CorticalThicknessChange", "cortical_thickness", "cortical_thickness_change"]

_FROM, _TO = -2.5, 6.0  # mm along the ray from the white vertex
_THINNEST = 1.0  # mm: below, a ray's direction is not known well, and there is no cortex where both surfaces meet


def cortical_thickness(
    image: Tensor, affine: ArrayLike | Tensor, white: Mesh, pial: Mesh, levels: TissueLevels | None = None
) -> Tensor:
    """Length of the way from half contrast of white and gray matter to half contrast of gray matter and CSF.

    Along the ray from each white vertex to its pial partner, from 2.5 mm before to 6 mm behind the white vertex: first
    the image passes the mean of white and gray level, then the mean of gray and CSF level.

    Args:
        image: one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        white, pial: vertices ``(V, 3)`` in mm, the same faces; the image need not be theirs.
        levels: of the tissues in the image; None estimates them.

    Returns:
        mm, ``(V,)`` float64; NaN where a crossing is missing or the surfaces are at most 1 mm apart, and everywhere
        in an image without contrast between the tissues.

    Raises:
        GeometryError: the meshes are not partners, or the affine does not place the image.

    Reference:
        Bongratz et al., arXiv 2601.19498 measure atrophy in generated images; the estimator is this package's. Its own
        error on a perfect image has to be reported beside it.
    """
    known = partner_thickness(white, pial)
    levels = tissue_levels(image, affine, white, pial) if levels is None else levels
    sign = levels.direction()
    rays = known > _THINNEST
    start, way = white.vertices[rays], (pial.vertices - white.vertices)[rays] / known[rays, None]
    inner, outer = (sign * level for level in levels.halfway())
    first = ray_crossings(sign * image, affine, start, way, inner, _FROM, _TO)
    second = ray_crossings(sign * image, affine, start, way, outer, first, _TO)
    result = torch.full((len(known),), torch.nan, dtype=torch.float64)
    result[rays.cpu()] = second - first if sign else torch.nan
    return result


class CorticalThicknessChange(NamedTuple):
    """How much thinner a cortex is in one image than in another.

    Attributes:
        change: thickness in the control less that in the image, so that atrophy is positive, mm, ``(V,)``; NaN where
            either is missing.
        mean: of the change in the region, mm, a scalar.
        drift: mean change outside the region, which should be 0, mm, a scalar; NaN without any outside.
        found: share of the rays with a thickness in both images, of those whose cortex is thicker than 1 mm and lies in
            the image, in [0, 1], a scalar.
    """

    change: Tensor
    mean: Tensor
    drift: Tensor
    found: Tensor

    def error(self, truth: Tensor) -> Tensor:
        """Mean absolute difference from the true change ``(V,)``, mm, a scalar."""
        return (self.change - truth.to(self.change)).abs().nanmean()


def cortical_thickness_change(  # noqa: PLR0913
    control: Tensor,
    image: Tensor,
    affine: ArrayLike | Tensor,
    white: Mesh,
    pial: Mesh,
    region: Tensor | None = None,
    levels: TissueLevels | None = None,
) -> CorticalThicknessChange:
    """Compare the thickness in an image of atrophy with that in its undosed control, along the same rays.

    Args:
        control, image: on one grid, one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        white, pial: surfaces of the control, vertices ``(V, 3)`` in mm, the same faces.
        region: mask or weights of the dose, above 0 inside, ``(V,)``; None is everywhere.
        levels: of the tissues in both images; None reads them in the control.

    Returns:
        Change at each vertex, and its means.

    Raises:
        ConfigError: the images or the region have other shapes.
        GeometryError: the meshes are not partners, or the affine does not place the images.
    """
    inside = torch.ones(len(white.vertices), dtype=torch.bool) if region is None else region.cpu() > 0
    if control.shape != image.shape or inside.shape != white.vertices.shape[:1]:
        raise ConfigError(
            "control, image and region do not fit",
            found=f"{tuple(control.shape)}, {tuple(image.shape)} and {tuple(inside.shape)}",
            expected=f"one grid, and ({len(white.vertices)},)",
        )
    levels = tissue_levels(control, affine, white, pial) if levels is None else levels
    before, after = (cortical_thickness(part, affine, white, pial, levels) for part in (control, image))
    change = before - after
    ends = torch.stack([sample_volume(control, affine, mesh.vertices) for mesh in (white, pial)])
    rays = (partner_thickness(white, pial).cpu() > _THINNEST) & ends.isfinite().all(0)
    return CorticalThicknessChange(
        change=change,
        mean=change[inside].nanmean(),
        drift=change[~inside].nanmean(),
        found=change.isfinite()[rays].double().mean(),
    )
