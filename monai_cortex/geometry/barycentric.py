"""Point location and interpolation on a mesh around the origin."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import corner_volumes
from monai_cortex.geometry.triangle_walk import TriangleWalk, triangle_walk, walk

__all__ = ["Location", "interpolate", "locate", "locator", "nearest_corner"]


class Location(NamedTuple):
    """Where rays from the origin meet a mesh.

    Attributes:
        face: number of the triangle, ``(Q,)`` int64.
        weights: of its three corners, which sum to 1, ``(Q, 3)``.
    """

    face: Tensor
    weights: Tensor


def locator(mesh: Mesh) -> TriangleWalk:
    """What can be computed once for a mesh with vertices ``(V, 3)`` on which points are located many times."""
    return triangle_walk(mesh.vertices.detach().cpu().numpy(), mesh.faces.cpu().numpy())


def locate(points: Tensor, mesh: Mesh, prepared: TriangleWalk | None = None, start: Tensor | None = None) -> Location:
    """Triangle and barycentric weights where the ray from the origin through each point meets the mesh.

    The weights are differentiable in points and vertices, the triangle is not. Where the mesh folds, a ray meets
    several triangles, of which one is returned.

    Args:
        points: ``(Q, 3)``, of any length above 0.
        mesh: closed surface around the origin, such as a sphere of any radius.
        prepared: result of :func:`locator` for this mesh.
        start: triangle near each point, ``(Q,)``, which makes the search shorter.

    Returns:
        Triangles and weights, in the dtype of the points.

    Raises:
        ValueError: if a point is not finite or its ray meets no triangle.
    """
    if prepared is None:
        prepared = locator(mesh)
    points = points if points.is_floating_point() else points.double()
    found, exact = walk(prepared, points.detach().cpu().numpy(), None if start is None else start.cpu().numpy())
    face = torch.from_numpy(found).to(mesh.faces.device)
    if (face < 0).any():
        bad = int((face < 0).nonzero()[0, 0])
        raise ValueError(
            f"{int((face < 0).sum())} of {len(face)} points lie in no triangle, the first is number {bad} at "
            f"{points[bad].tolist()}; the mesh must be closed around the origin and the points finite."
        )
    if points.requires_grad or mesh.vertices.requires_grad:
        return Location(face, barycentric_weights(points, mesh.vertices[mesh.faces[face]]))
    return Location(face, torch.from_numpy(exact).to(points))


def barycentric_weights(points: Tensor, corners: Tensor) -> Tensor:
    """Weights of three corners ``(Q, 3, 3)`` where rays through points ``(Q, 3)`` meet their planes, ``(Q, 3)``."""
    parts = []
    for k in range(3):
        replaced = torch.stack([points.to(corners) if i == k else corners[:, i] for i in range(3)], 1)
        parts.append(corner_volumes(replaced))
    volumes = torch.stack(parts, -1)
    return (volumes / volumes.sum(-1, keepdim=True)).to(points)


def interpolate(values: Tensor, mesh: Mesh, location: Location) -> Tensor:
    """Values that are linear on each triangle, differentiable in values and weights.

    Args:
        values: at the vertices, ``(..., V)``.
        mesh: of the values.
        location: of Q points, from :func:`locate`.

    Returns:
        Values at the points, ``(..., Q)``.
    """
    corners = values.index_select(-1, mesh.faces[location.face].flatten())
    products = corners.view(*values.shape[:-1], -1, 3) * location.weights.to(values)
    result: Tensor = products.sum(-1)
    return result


def nearest_corner(mesh: Mesh, location: Location) -> Tensor:
    """Vertex with the largest weight, ``(Q,)`` int64: how labels are resampled, none of them invented."""
    corner = location.weights.argmax(-1, keepdim=True)
    return mesh.faces[location.face].gather(1, corner)[:, 0]
