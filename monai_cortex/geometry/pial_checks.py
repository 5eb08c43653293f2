"""Is a pial surface the outside of its white one: triangles that turned over, and white matter outside of it."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_cortex.geometry.cortex import nesting_violations
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.signed_distance import signed_distance

__all__ = ["nesting_voxels", "turned_triangles", "unfolded_pial"]

_ROUNDS, _SHORTER = 12, 0.85


def turned_triangles(white: Mesh, pial: Mesh) -> Tensor:
    """Triangles of the pial surface that face away from where their white partners face, bool ``(F,)``.

    Args:
        white, pial: vertices ``(V, 3)`` in mm, the same faces.
    """
    turned: Tensor = (_normals(white) * _normals(pial)).sum(1) < 0
    return turned


def unfolded_pial(white: Mesh, way: Tensor) -> Mesh:
    """The surface at the end of the ways; where a triangle would turn over, in a narrow sulcus, they are shortened.

    Up to 11 times, the ways of all corners of turned triangles shrink to 0.85 of their length: to no less than a
    sixth. What is turned even so, stays.

    Args:
        white: vertices ``(V, 3)`` in mm.
        way: from each white vertex to its pial partner, mm, ``(V, 3)``.

    Returns:
        The pial surface, with the white one's faces; exactly at the ends of the ways where nothing is turned.
    """
    for _ in range(_ROUNDS):
        pial = Mesh(white.vertices + way, white.faces)
        folded = turned_triangles(white, pial)
        if not folded.any():
            break
        corners = torch.unique(white.faces[folded])
        way = way.index_copy(0, corners, _SHORTER * way[corners])
    return pial


def nesting_voxels(white: Mesh, pial: Mesh, spacing: float = 1.0) -> int:
    """Number of voxels inside the white, but outside the pial surface; 0 for a correct pair.

    Args:
        white, pial: closed, vertices ``(V, 3)`` in mm.
        spacing: edge of the voxels in mm, on a grid around both surfaces.
    """
    points = torch.cat([white.vertices, pial.vertices]).double()
    low = points.amin(0) - spacing
    affine = torch.diag(points.new_tensor([spacing] * 3 + [1.0]))
    affine[:3, 3] = low
    shape = ((points.amax(0) - low) / spacing).ceil().int() + 2
    distances = (signed_distance(mesh, shape.tolist(), affine, band=spacing) for mesh in (white, pial))
    return nesting_violations(*distances)


def _normals(mesh: Mesh) -> Tensor:
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    normals: Tensor = torch.linalg.cross(b - a, c - a)
    return normals
