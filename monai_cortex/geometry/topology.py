"""How the triangles of a mesh hang together, whatever its coordinates, and the volume they enclose."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from monai_cortex.geometry.mesh import Mesh

__all__ = ["MeshTopology", "mesh_topology", "neighbor_distance", "signed_volume", "topology_hash"]

_TWO = 2


class MeshTopology(NamedTuple):
    """Counts that tell a closed surface from all others.

    Attributes:
        euler: Euler characteristic, vertices - edges + faces; 2 for a sphere, and for whatever inflates to one.
        components: number of pieces; a vertex without a triangle is a piece of its own.
        open_edges: edges with one triangle, the rims of holes.
        nonmanifold_edges: edges with more than two triangles.
        inconsistent_edges: edges that their two triangles run along in the same direction, so that one is flipped.
        unreferenced: vertices without a triangle.
        degenerate_faces: triangles that name a vertex twice.
    """

    euler: int
    components: int
    open_edges: int
    nonmanifold_edges: int
    inconsistent_edges: int
    unreferenced: int
    degenerate_faces: int


def mesh_topology(mesh: Mesh) -> MeshTopology:
    """Count what hangs together in a mesh; its vertices need no sensible coordinates.

    Args:
        mesh: vertices ``(V, 3)`` and faces ``(F, 3)``, each index in [0, V - 1].

    Returns:
        The counts.
    """
    count, faces = len(mesh.vertices), mesh.faces.long()
    start, end = faces.reshape(-1), faces.roll(-1, 1).reshape(-1)
    key = torch.minimum(start, end) * count + torch.maximum(start, end)
    edges, number, uses = torch.unique(key, return_inverse=True, return_counts=True)
    # The two triangles of an edge run along it in opposite directions where both are turned alike.
    turns = torch.zeros_like(edges).index_add_(0, number, torch.sign(end - start))
    used = torch.zeros(count, dtype=torch.bool, device=faces.device)
    used[start] = True
    degenerate = (faces == faces.roll(-1, 1)).any(1)
    return MeshTopology(
        euler=count - len(edges) + len(faces),
        components=_components(edges, count),
        open_edges=int((uses == 1).sum()),
        nonmanifold_edges=int((uses > _TWO).sum()),
        inconsistent_edges=int(((uses == _TWO) & (turns != 0)).sum()),
        unreferenced=int((~used).sum()),
        degenerate_faces=int(degenerate.sum()),
    )


def signed_volume(mesh: Mesh) -> float:
    """Volume that a closed mesh encloses, in the unit of its coordinates cubed (mm^3); negative where it is inside out.

    Args:
        mesh: vertices ``(V, 3)`` and faces ``(F, 3)``.
    """
    # About the middle of the vertices: far from the origin, the volumes of the tetrahedra would cancel.
    corners = (mesh.vertices - mesh.vertices.mean(0))[mesh.faces]
    return float(torch.linalg.det(corners).sum()) / 6


def neighbor_distance(mesh: Mesh) -> float:
    """Length of edges in units of the distance of any two vertices, both as root mean squares, dimensionless.

    It is near 1 where the vertices' numbers and the faces do not belong together, and falls as one over the square
    root of the number of vertices where they do.

    Args:
        mesh: vertices ``(V, 3)`` and faces ``(F, 3)``.
    """
    start, end = mesh.faces.reshape(-1), mesh.faces.roll(-1, 1).reshape(-1)
    near = (mesh.vertices[start] - mesh.vertices[end]).square().sum(1).mean()
    anywhere = 2 * mesh.vertices.var(0, correction=0).sum()
    return float((near / anywhere).sqrt()) if anywhere > 0 else 0.0


def topology_hash(*faces: Tensor) -> str:
    """SHA-256 of the triangles of meshes, 64 characters: equal where vertices correspond by their numbers.

    Args:
        faces: of each mesh, ``(F, 3)`` integers, in a fixed order.
    """
    digest = hashlib.sha256()
    for corners in faces:
        digest.update(f"{len(corners)};".encode())
        digest.update(corners.to("cpu", torch.int64).contiguous().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def _components(edges: torch.Tensor, count: int) -> int:
    low, high = (edges // count).cpu().numpy(), (edges % count).cpu().numpy()
    graph = coo_matrix((torch.ones(len(edges), dtype=torch.bool).numpy(), (low, high)), shape=(count, count))
    return int(connected_components(graph, directed=False, return_labels=False))
