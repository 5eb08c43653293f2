"""How a map between two embeddings of one mesh changes areas and lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_cortex.geometry.sphere import corner_volumes

__all__ = ["areal_distortion", "edge_distortion", "folded", "mesh_edges", "triangle_areas"]

_SMALLEST = 1e-6  # ratios are kept between this and its inverse: degenerate triangles and edges have none


def mesh_edges(faces: Tensor) -> Tensor:
    """Every edge once, its lower vertex first, in lexicographic order, ``(E, 2)`` int64, of faces ``(F, 3)``."""
    both = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    count = int(faces.max()) + 1 if len(faces) else 1
    code = torch.unique(both[:, 0] * count + both[:, 1])
    return torch.stack([code // count, code % count], 1)


def triangle_areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Areas of flat triangles, in the square of the vertices' unit, ``(F,)``."""
    a, b, c = vertices[faces].unbind(1)
    areas: Tensor = torch.linalg.cross(b - a, c - a).norm(dim=-1) / 2
    return areas


def areal_distortion(before: Tensor, after: Tensor, faces: Tensor) -> Tensor:
    r"""Absolute logarithm of the ratio of areas, :math:`|\log_2(A'/A)|`.

    Areas are those of the flat triangles, which on cortical meshes differ from spherical ones by parts in 10,000.

    Args:
        before, after: the same vertices twice, ``(V, 3)``, in one unit.
        faces: ``(F, 3)``.

    Returns:
        Dimensionless, 1 where the area has doubled or halved, ``(F,)``.
    """
    ratio = triangle_areas(after, faces) / triangle_areas(before, faces)
    return ratio.nan_to_num(nan=1.0).clamp(_SMALLEST, 1 / _SMALLEST).log2().abs()


def edge_distortion(before: Tensor, after: Tensor, faces: Tensor) -> Tensor:
    r"""Absolute relative change of lengths, :math:`|l'/l - 1|`, of every edge once, in the order of :func:`mesh_edges`.

    Args:
        before, after: the same vertices twice, ``(V, 3)``, in one unit.
        faces: ``(F, 3)``.

    Returns:
        Dimensionless, 0.1 where the length has changed by a tenth, ``(E,)``.
    """
    i, j = mesh_edges(faces).unbind(1)
    lengths = [(vertices[i] - vertices[j]).norm(dim=-1) for vertices in (before, after)]
    ratio: Tensor = (lengths[1] / lengths[0]).nan_to_num(nan=1.0).clamp_max(1 / _SMALLEST)
    return (ratio - 1).abs()


def folded(before: Tensor, after: Tensor, faces: Tensor) -> int:
    """Number of triangles on a sphere about the origin that face outward before and no longer do so after.

    Args:
        before, after: the same vertices twice, ``(V, 3)``.
        faces: ``(F, 3)``.
    """
    return int(((corner_volumes(before[faces]) > 0) & ~(corner_volumes(after[faces]) > 0)).sum())
