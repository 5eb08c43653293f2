"""What the distances to the white and the pial surface say about the cortex between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["CortexFields", "cortex_fields", "distance_union", "nesting_violations"]


class CortexFields(NamedTuple):
    """Fields of a cortex on the grid of its distances.

    Attributes:
        cortex: S_c in mm, negative in white matter, 0 in the cortex, positive outside, ``(..., I, J, K)``.
        ribbon: 1 in the cortex, 0 elsewhere, ``(..., I, J, K)``.
        edges: 1 where a surface crosses the voxel, 0 elsewhere, ``(..., I, J, K)``; white and pial surface apart,
            ``(2, ..., I, J, K)``, if asked for.
    """

    cortex: Tensor
    ribbon: Tensor
    edges: Tensor


def cortex_fields(
    white_distance: Tensor, pial_distance: Tensor, spacing: Sequence[float], *, per_surface: bool = False
) -> CortexFields:
    r"""Fuse the signed distances S_w and S_p of white and pial surface.

    S_c is max(S_w, S_p) where both are negative, min(S_w, S_p) where both are positive and 0 between, in the ribbon. A
    surface with normal n crosses a voxel with edges h where :math:`|S| \le \frac12 \sqrt{\sum_a (n_a h_a)^2}`.

    Args:
        white_distance, pial_distance: mm, negative inside, ``(..., I, J, K)``.
        spacing: voxel edges along i, j and k, mm.
        per_surface: edges of white and pial surface in two fields.

    Returns:
        The fields, in the distances' type.

    Raises:
        ValueError: if the shapes differ or the spacing is not three positive numbers.

    Reference:
        Bongratz et al., Cor2Vox, arXiv 2502.12742: the cortical distance field.
    """
    if white_distance.shape != pial_distance.shape or white_distance.ndim < 3:  # noqa: PLR2004
        raise ValueError(
            "white and pial distance must lie on one grid (..., I, J, K), got shapes "
            f"{tuple(white_distance.shape)} and {tuple(pial_distance.shape)}."
        )
    if len(spacing) != 3 or not all(edge > 0 for edge in spacing):  # noqa: PLR2004
        raise ValueError(f"spacing must be three positive numbers of mm, got {tuple(spacing)}.")
    inside = torch.maximum(white_distance, pial_distance).clamp(max=0)
    outside = torch.minimum(white_distance, pial_distance).clamp(min=0)
    cortex = inside + outside
    edges = torch.stack([_edges(distance, spacing) for distance in (white_distance, pial_distance)])
    return CortexFields(cortex, (cortex == 0).to(cortex), edges if per_surface else edges.amax(0))


def nesting_violations(white_distance: Tensor, pial_distance: Tensor) -> int:
    """Number of voxels that lie inside the white but outside the pial surface; 0 for a correct pair.

    Args:
        white_distance, pial_distance: mm, negative inside, of one shape.
    """
    return int(((white_distance < 0) & (pial_distance > 0)).sum())


def distance_union(distances: Sequence[Tensor]) -> Tensor:
    """Signed distance of several bodies taken together, as two hemispheres: the least.

    Exact outside all of them, and inside where they do not overlap.

    Args:
        distances: mm, negative inside, each ``(..., I, J, K)``.

    Returns:
        Distance in mm, ``(..., I, J, K)``.

    Raises:
        ValueError: if there is none.
    """
    if not distances:
        raise ValueError("a union needs at least one distance, got none.")
    return torch.stack(list(distances)).amin(0)


def _edges(distance: Tensor, spacing: Sequence[float]) -> Tensor:
    """1 where the surface, a plane within the voxel, passes closer to the center than the cell reaches."""
    extent = torch.zeros_like(distance)
    length = torch.zeros_like(distance)
    for axis, edge in zip((-3, -2, -1), spacing, strict=True):
        if distance.shape[axis] > 1:
            slope = torch.gradient(distance, spacing=edge, dim=axis)[0]
            length += slope**2
            extent += (slope * edge) ** 2
    # Where the distance has no slope, on a medial axis, the smallest edge stands in.
    reach = torch.where(length > 0, extent / length, min(spacing) ** 2)
    return (4 * distance**2 <= reach).to(distance)
