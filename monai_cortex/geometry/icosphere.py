"""Subdivided icosahedra."""

from __future__ import annotations

import torch

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.subdivision import midpoint_subdivision

__all__ = ["icosphere", "icosphere_level"]


def icosphere(level: int) -> Mesh:
    """Icosahedron, each triangle split into four ``level`` times and pushed out to the unit sphere.

    The first vertices of a level are the vertices of the level before (nested order). The coordinate planes are
    mirror planes of every level.

    Args:
        level: number of subdivisions, 0 or more.

    Returns:
        Mesh of ``10 * 4**level + 2`` unit vectors ``(V, 3)``, float64, dimensionless, and ``20 * 4**level`` outward
        faces ``(F, 3)``.

    Raises:
        ValueError: if the level is negative.
    """
    if level < 0:
        raise ValueError(f"level counts subdivisions and must be 0 or more, got {level}.")
    mesh = _icosahedron()
    for _ in range(level):
        mesh = _subdivide(mesh)
    return mesh


def icosphere_level(vertices: int) -> int:
    """Level of the icosphere with so many vertices, the inverse of ``10 * 4**level + 2``, a scalar.

    Args:
        vertices: number of vertices.

    Raises:
        ValueError: if no level has so many.
    """
    level = 0
    while (count := 10 * 4**level + 2) < vertices:
        level += 1
    if count != vertices:
        raise ValueError(f"icospheres have 12, 42, 162, 642, 2562, 10242, 40962, ... vertices, got {vertices}.")
    return level


def _icosahedron() -> Mesh:
    golden = (1 + 5**0.5) / 2
    signs = [(a, b) for a in (-1.0, 1.0) for b in (-golden, golden)]
    corners = [p for a, b in signs for p in ((0.0, a, b), (a, b, 0.0), (b, 0.0, a))]
    vertices = torch.nn.functional.normalize(torch.tensor(corners, dtype=torch.float64), dim=1)
    # Neighbors subtend 63.4 degrees (cosine 0.447), all others more; three mutual neighbors make a face.
    near = (vertices @ vertices.T > 0.4) & ~torch.eye(12, dtype=torch.bool)  # noqa: PLR2004
    triples = torch.combinations(torch.arange(12), 3)
    a, b, c = triples.T
    faces = triples[near[a, b] & near[b, c] & near[a, c]]
    inward = torch.linalg.det(vertices[faces]) < 0
    faces[inward] = faces[inward].flip(1)
    return Mesh(vertices, faces)


def _subdivide(mesh: Mesh) -> Mesh:
    vertices, faces = midpoint_subdivision(mesh)
    old, new = vertices.tensor_split([len(mesh.vertices)])
    return Mesh(torch.cat([old, torch.nn.functional.normalize(new, dim=1)]), faces)
