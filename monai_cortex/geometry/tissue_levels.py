"""What white matter, gray matter and CSF look like in an image, read beside its surfaces."""

from __future__ import annotations

from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from monai_cortex.geometry.atrophy import partner_thickness
from monai_cortex.geometry.closest_point import closest_points
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.vertex_normals import vertex_normals
from monai_cortex.geometry.volume_sampling import sample_volume

__all__ = ["TissueLevels", "tissue_levels"]

_DEPTH = 2.0  # mm behind a surface where a voxel holds one tissue only
_CLEAR = 0.95  # of that depth, to the nearest surface: else another fold lies there
_CORTEX = 1.0  # mm: thinner than that, the surfaces are no cortex
_READ = 5000  # vertices
_LEAST = 50  # readings for a median
_NORMAL = 1.4826  # standard deviation of normal noise in median absolute deviations
_VISIBLE = 0.5  # of the noise: tissues that differ by less are one


class TissueLevels(NamedTuple):
    """Values of the tissues, in the unit of the image.

    Attributes:
        white: of white matter, a scalar.
        gray: of gray matter, a scalar.
        csf: of what surrounds the brain, a scalar.
        noise: standard deviation within the tissues, a scalar.
    """

    white: float
    gray: float
    csf: float
    noise: float = 0.0

    def halfway(self) -> tuple[float, float]:
        """Where the image is half white and half gray matter, and half gray matter and CSF."""
        return (self.white + self.gray) / 2, (self.gray + self.csf) / 2

    def direction(self) -> int:
        """1 where the image darkens from white matter outward, -1 where it brightens, 0 where tissues do not differ."""
        steps = self.white - self.gray, self.gray - self.csf
        # Numbers that are NaN fail each comparison.
        visible = min(map(abs, steps)) > _VISIBLE * self.noise and steps[0] * steps[1] > 0
        return (1 if steps[0] > 0 else -1) if visible else 0


def tissue_levels(image: Tensor, affine: ArrayLike | Tensor, white: Mesh, pial: Mesh) -> TissueLevels:
    """Read an image 2 mm inside the white surface, halfway to the pial one, and 2 mm outside that.

    Readings near another fold are left out, and the levels are medians: surfaces that are 1 mm off do little harm. The
    image may show a part of the surfaces only.

    Args:
        image: one value a voxel, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        white, pial: vertices ``(V, 3)`` in mm, the same faces.

    Returns:
        Levels; NaN where surfaces and image do not overlap.

    Raises:
        GeometryError: the meshes are not partners, or the affine does not place the image.
    """
    seen = sample_volume(image, affine, (white.vertices + pial.vertices) / 2).isfinite().to(white.vertices.device)
    cortex = ((partner_thickness(white, pial) > _CORTEX) & seen).nonzero()[:, 0]
    chosen = cortex[:: max(1, len(cortex) // _READ)]
    inner, outer = (mesh.vertices[chosen] for mesh in (white, pial))
    inside = inner - _DEPTH * vertex_normals(white)[chosen]
    outside = outer + _DEPTH * vertex_normals(pial)[chosen]
    middle = (inner + outer) / 2
    white_free, pial_free = (closest_points(p, m).distances for p, m in ((inside, white), (outside, pial)))
    middle_free = torch.minimum(*(closest_points(middle, mesh).distances for mesh in (white, pial)))
    readings = [
        _clear(sample_volume(image, affine, inside), white_free, _CLEAR * _DEPTH),
        # Half of a thick cortex is farther from both sides than half of a thin one: the upper quarter will do.
        _clear(sample_volume(image, affine, middle), middle_free, torch.inf),
        _clear(sample_volume(image, affine, outside), pial_free, _CLEAR * _DEPTH),
    ]
    first, second, third = (float(part.quantile(0.5)) if len(part) else float("nan") for part in readings)
    deviations = torch.cat([(p - x).abs() for p, x in zip(readings, (first, second, third), strict=True)])
    noise = _NORMAL * float(deviations.quantile(0.5)) if len(deviations) else float("nan")
    return TissueLevels(first, second, third, noise)


def _clear(values: Tensor, free: Tensor, enough: float) -> Tensor:
    """Readings with enough room around them, or the quarter with most room where these are few."""
    values, free = values[values.isfinite()], free[values.isfinite()]
    kept = free >= enough
    if kept.sum() < min(_LEAST, len(free)):
        kept = free >= free.quantile(0.75)
    return values[kept]
