"""Triangle meshes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Mesh"]


class Mesh(NamedTuple):
    """Triangles in space.

    Attributes:
        vertices: coordinates, ``(V, 3)``; mm in RAS+ scanner axes for anatomy, dimensionless on the unit sphere.
        faces: vertex indices of the triangles, ``(F, 3)`` int64, counter-clockwise seen from outside.
    """

    vertices: Tensor
    faces: Tensor
