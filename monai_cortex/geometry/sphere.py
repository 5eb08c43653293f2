"""Angles and areas on the unit sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["arc_angle", "corner_volumes", "solid_angle", "sphere_center", "vertex_areas"]


def arc_angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle between vectors ``(..., 3)``, in radian, accurate near 0 and pi alike, ``(...)``."""
    return torch.atan2(torch.linalg.cross(first, second).norm(dim=-1), (first * second).sum(-1))


def corner_volumes(corners: Tensor) -> Tensor:
    """Six times the signed volume of origin and triangle, det[a, b, c], of corners ``(..., 3, 3)``, ``(...)``.

    It is positive where a triangle on a sphere about the origin faces outward.
    """
    a, b, c = corners.unbind(-2)
    volumes: Tensor = (a * torch.linalg.cross(b, c)).sum(-1)
    return volumes


def solid_angle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    r"""Signed area of spherical triangles.

    .. math:: 2\,\mathrm{atan2}(a \cdot (b \times c),\ 1 + a \cdot b + b \cdot c + c \cdot a)

    Args:
        a, b, c: corners, unit vectors ``(..., 3)``.

    Returns:
        Area in sr, positive where the corners are counter-clockwise seen from outside, ``(...)``.

    Reference:
        Van Oosterom and Strackee, IEEE Trans. Biomed. Eng. 30(2):125-126, 1983.
    """
    cosines = (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
    return 2 * torch.atan2(corner_volumes(torch.stack([a, b, c], -2)), 1 + cosines)


def vertex_areas(mesh: Mesh) -> Tensor:
    """One third of the exact areas of the triangles about each vertex of the unit sphere, in sr, ``(V,)``.

    They add up to 4 pi, and are the weights of the quadrature on the mesh.
    """
    area = solid_angle(*mesh.vertices[mesh.faces].unbind(1)) / 3
    return area.new_zeros(len(mesh.vertices)).index_add_(0, mesh.faces.flatten(), area.repeat_interleave(3))


def sphere_center(points: Tensor) -> Tensor:
    r"""Center c of the sphere that fits best, :math:`|x|^2 = 2 c \cdot x + k`, in the least squares sense.

    Args:
        points: near a sphere, ``(V, 3)``, in any unit.

    Returns:
        ``(3,)`` in the unit of the points; for points in a plane, which have no center, their middle there.
    """
    middle = points.mean(0)
    offsets = points - middle
    squares = (offsets**2).sum(1)
    moved: Tensor = torch.linalg.pinv(offsets.T @ offsets, hermitian=True) @ (offsets.T @ (squares - squares.mean()))
    return middle + moved / 2
