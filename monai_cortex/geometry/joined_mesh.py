"""Several surfaces as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.mesh import Mesh

__all__ = ["join_meshes"]


def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """Put the vertices and triangles of several surfaces, such as both hemispheres, one after the other.

    Args:
        meshes: each with vertices ``(V, 3)`` in mm and faces ``(F, 3)``.

    Returns:
        One mesh in as many pieces, mm.

    Raises:
        GeometryError: there is none.
    """
    if not meshes:
        raise GeometryError("there is no surface to join", found="an empty sequence", expected="one mesh or more")
    starts = torch.tensor([0, *(len(mesh.vertices) for mesh in meshes)]).cumsum(0).tolist()
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(faces))
