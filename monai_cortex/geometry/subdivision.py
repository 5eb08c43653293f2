"""Finer meshes: each triangle split into four, and a surface that is smooth in the limit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["loop_subdivision", "midpoint_subdivision"]


class _Edges(NamedTuple):
    """Undirected edges ``(E, 2)``, and for each face the numbers of its edges ab, bc, ca ``(F, 3)``."""

    ends: Tensor
    of_faces: Tensor


def midpoint_subdivision(mesh: Mesh) -> Mesh:
    """Split each triangle into four at the middles of its edges; the surface stays where it is.

    Args:
        mesh: vertices ``(V, 3)`` in any unit, such as mm, faces ``(F, 3)``.

    Returns:
        The vertices, then one for each edge; 4 F faces, those of one triangle in a row, turned alike.
    """
    edges = _edges(mesh.faces)
    return Mesh(torch.cat([mesh.vertices, mesh.vertices[edges.ends].mean(1)]), _split(mesh, edges))


def loop_subdivision(mesh: Mesh) -> Mesh:
    """Split each triangle of a closed mesh into four by Loop's rule: repeated, it tends to a smooth surface.

    Linear in the vertices, and the same for all meshes that share their faces.

    Args:
        mesh: closed; vertices ``(V, 3)`` in any unit, such as mm, faces ``(F, 3)``.

    Returns:
        As :func:`midpoint_subdivision`, all vertices moved.

    Reference:
        Loop, Smooth Subdivision Surfaces Based on Triangles, Master's thesis, University of Utah, 1987, with the
        weights of Warren, 1995: 3/16 for three neighbors, 3/8 over their number for more.
    """
    vertices, faces = mesh
    edges = _edges(faces)
    across = torch.zeros(len(edges.ends), 3, dtype=vertices.dtype, device=vertices.device)
    across.index_add_(0, edges.of_faces.reshape(-1), vertices[faces.roll(1, 1)].reshape(-1, 3))
    middle = 3 / 8 * vertices[edges.ends].sum(1) + across / 8
    around, count = torch.zeros_like(vertices), vertices.new_zeros(len(vertices), 1)
    for start, end in (edges.ends.unbind(1), edges.ends.flip(1).unbind(1)):
        around.index_add_(0, start, vertices[end])
        count.index_add_(0, start, vertices.new_ones(len(start), 1))
    weight = torch.where(count > 3, 3 / 8 / count, 3 / 16)  # noqa: PLR2004
    moved = (1 - count * weight) * vertices + weight * around
    return Mesh(torch.cat([moved, middle]), _split(mesh, edges))


def _edges(faces: Tensor) -> _Edges:
    pairs = torch.stack([faces, faces.roll(-1, 1)], 2).sort(-1).values
    ends, number = torch.unique(pairs.reshape(-1, 2), dim=0, return_inverse=True)
    return _Edges(ends, number.reshape(-1, 3))


def _split(mesh: Mesh, edges: _Edges) -> Tensor:
    a, b, c = mesh.faces.T
    ab, bc, ca = (edges.of_faces + len(mesh.vertices)).T
    corners = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return torch.stack([torch.stack(corner, 1) for corner in corners], 1).reshape(-1, 3)
