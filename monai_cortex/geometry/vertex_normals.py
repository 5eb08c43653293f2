"""Normals at the vertices of a surface."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["vertex_normals"]


def vertex_normals(mesh: Mesh) -> Tensor:
    """Unit normals at the vertices: the mean of the triangles' normals, weighted by their areas.

    Args:
        mesh: vertices ``(V, 3)`` and faces ``(F, 3)``, counter-clockwise seen from outside.

    Returns:
        Unit vectors that point outward, ``(V, 3)``, in the dtype of the vertices; 0 at a vertex without area.
    """
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    # The cross product is twice the area long: the weights come by themselves.
    areas = torch.linalg.cross(b - a, c - a)
    sums = torch.zeros_like(mesh.vertices).index_add_(0, mesh.faces.flatten(), areas.repeat_interleave(3, 0))
    length = sums.norm(dim=1, keepdim=True)
    normals: Tensor = sums / length.where(length > 0, length.new_ones(()))
    return normals
