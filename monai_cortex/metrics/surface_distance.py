"""Distance between two surfaces, from their triangles and not from voxels."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.closest_point import closest_points
from monai_cortex.geometry.mesh import Mesh

__all__ = ["SurfaceDistance", "SurfaceDistances", "surface_distance"]

_NINETY = 0.9


class SurfaceDistances(NamedTuple):
    """How far two surfaces are apart.

    Attributes:
        assd: mean of both directed mean distances from vertices to the other surface, mm, a scalar.
        hd90: 90th percentile of the distances in both directions, pooled, mm, a scalar.
    """

    assd: Tensor
    hd90: Tensor


def surface_distance(
    first: Mesh, second: Mesh, masks: tuple[Tensor | None, Tensor | None] | None = None
) -> SurfaceDistances:
    """Distances from the vertices of each surface to the nearest point of the other one.

    They are exact, and symmetric: the order of the surfaces does not matter.

    Args:
        first, second: vertices ``(V, 3)`` and ``(W, 3)`` in mm; any faces.
        masks: vertices that count, bool ``(V,)`` and ``(W,)``, such as the cortex without the medial wall; None is all.
            All triangles are looked at nonetheless.

    Returns:
        ASSD and HD90.

    Raises:
        ConfigError: a mask has another shape or names no vertex.
        GeometryError: a coordinate is not finite, or a mesh has no triangle.

    Reference:
        Bongratz et al., arXiv 2601.19498 (ASSD and 90th percentile Hausdorff distance).
    """
    pairs = zip(((first, second), (second, first)), masks or (None, None), strict=True)
    there, back = (closest_points(_counted(mesh, mask), other).distances for (mesh, other), mask in pairs)
    return SurfaceDistances((there.mean() + back.mean()) / 2, _quantile(torch.cat([there, back]), _NINETY))


class SurfaceDistance(CumulativeIterationMetric):
    """Mean of :func:`surface_distance` over pairs of surfaces, mm.

    Shape:
        a mesh and its truth, or lists of them; ``masks`` as a keyword is a pair, or a list of pairs, of vertex masks.
        A call returns ASSD and HD90 of each pair, ``(B, 2)``.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Any = None, **_: Any) -> Tensor:
        raise ConfigError("the distance of surfaces needs meshes", found="a tensor", expected="two meshes, or lists")

    def _compute_list(self, y_pred: Any, y: Any = None, masks: Any = None, **_: Any) -> Any:
        if isinstance(y_pred, Mesh):
            y_pred, y, masks = [y_pred], [y], [masks]
        rows = zip(y_pred, y, masks or [None] * len(y_pred), strict=True)
        return torch.stack([torch.stack(surface_distance(*row)) for row in rows])

    def aggregate(self) -> SurfaceDistances:
        """Means over all pairs so far."""
        return SurfaceDistances(*self.get_buffer().mean(0))


def _counted(mesh: Mesh, mask: Tensor | None) -> Tensor:
    if mask is None:
        return mesh.vertices
    if mask.dtype != torch.bool or mask.shape != mesh.vertices.shape[:1] or not mask.any():
        raise ConfigError(
            "the vertices that count cannot be told",
            found=f"{mask.dtype} of shape {tuple(mask.shape)}",
            expected=f"torch.bool of shape ({len(mesh.vertices)},), true somewhere",
        )
    return mesh.vertices[mask.to(mesh.vertices.device)]


def _quantile(values: Tensor, share: float) -> Tensor:
    """As torch.quantile, which takes 16 million values at most."""
    place = share * (len(values) - 1)
    low = values.kthvalue(int(place) + 1).values
    high = values.kthvalue(min(int(place) + 2, len(values))).values
    return low + (place - int(place)) * (high - low)
