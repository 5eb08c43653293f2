"""Distortion of triangles and edges as maps on the vertices, for files and figures."""

from __future__ import annotations

from torch import Tensor

from monai_cortex.geometry.distortion import areal_distortion, edge_distortion, mesh_edges, triangle_areas

__all__ = ["areal_at_vertices", "edge_at_vertices"]


def areal_at_vertices(before: Tensor, after: Tensor, faces: Tensor) -> Tensor:
    r"""Mean of :math:`|\log_2(A'/A)|` of the triangles about each vertex, weighted by their areas before.

    Args:
        before, after: the same vertices twice, ``(V, 3)``, in one unit.
        faces: ``(F, 3)``.

    Returns:
        Dimensionless, ``(V,)``; 0 at a vertex without triangle.
    """
    areas = triangle_areas(before, faces)
    return _mean(areal_distortion(before, after, faces), areas, faces, len(before))


def edge_at_vertices(before: Tensor, after: Tensor, faces: Tensor) -> Tensor:
    r"""Mean of :math:`|l'/l - 1|` of the edges at each vertex.

    Args:
        before, after: the same vertices twice, ``(V, 3)``, in one unit.
        faces: ``(F, 3)``.

    Returns:
        Dimensionless, ``(V,)``; 0 at a vertex without edge.
    """
    values = edge_distortion(before, after, faces)
    return _mean(values, values.new_ones(len(values)), mesh_edges(faces), len(before))


def _mean(values: Tensor, weights: Tensor, members: Tensor, count: int) -> Tensor:
    """Weighted mean of the values of elements with vertices ``(n, k)`` at each of their vertices."""
    place, repeats = members.flatten(), members.shape[1]
    sums, total = (
        part.new_zeros(count).index_add_(0, place, part.repeat_interleave(repeats))
        for part in (weights * values, weights)
    )
    return sums / total.where(total > 0, total.new_ones(()))
