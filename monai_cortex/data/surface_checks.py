"""Is a surface closed, of one piece and turned outward, and is a sphere a sphere?"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from monai_cortex.errors import GeometryError
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import sphere_center
from monai_cortex.geometry.topology import MeshTopology, mesh_topology, neighbor_distance, signed_volume

from .surface_file import SurfaceFile, make_mesh

__all__ = [
    "SphereReport",
    "SurfaceReport",
    "check_sphere",
    "check_surface",
    "measure_sphere",
    "require_hemisphere",
    "require_same_vertices",
]

_log = logging.getLogger(__name__)
_SPHERE = 2
# Files store float32, and projecting a point off a center by this share of the radius turns it by 0.1 degrees.
_OFFSET = 2e-3
_SPREAD = 1e-2
# Icospheres of 42 vertices have edges of 42 %.
_MANY, _FAR = 40, 0.7


class SurfaceReport(NamedTuple):
    """What is known of a surface that passed its checks.

    Attributes:
        vertices: number V.
        faces: number F.
        euler: Euler characteristic; 2 where the surface is closed.
        open_edges: edges of rims; 0 where the surface is closed.
        duplicates: vertices that lie exactly where another one lies.
    """

    vertices: int
    faces: int
    euler: int
    open_edges: int
    duplicates: int


class SphereReport(NamedTuple):
    """How well a closed surface is a sphere about the origin.

    Attributes:
        radius: mean distance of the vertices from the origin, in the unit of the file, mm.
        radius_spread: largest deviation of a vertex from the mean radius, as a fraction of it.
        center_offset: distance of the center of the best-fitting sphere from the origin, as a fraction of its radius.
        folded: number of triangles of negative area, seen from the center.
        folded_fraction: of all triangles, in [0, 1].
        flipped_winding: the triangles are turned inward as a whole.
        duplicates: vertices that lie exactly where another one lies.
    """

    radius: float
    radius_spread: float
    center_offset: float
    folded: int
    folded_fraction: float
    flipped_winding: bool
    duplicates: int


def check_surface(
    surface: SurfaceFile | Mesh,
    file: str | os.PathLike[str] = "",
    subject: str = "",
    *,
    closed: bool = True,
    handles: bool = False,
) -> SurfaceReport:
    """Refuse a surface that is not what its use needs; the vertices are never changed, merged or dropped.

    Args:
        surface: as read from a file, or vertices in mm ``(V, 3)`` with faces ``(F, 3)``.
        file: path for messages; "" takes the surface's own.
        subject: identifier for messages; "" takes the surface's own.
        closed: False lets cut and patch surfaces pass: holes, pieces and vertices without a triangle.
        handles: True lets closed surfaces pass that are none of a sphere; what lies inside is known of them too.

    Returns:
        Counts. Vertices that lie exactly on another are counted and logged, not refused: projections make a few.

    Raises:
        GeometryError: coordinates that are not finite, indices out of range, triangles that name a vertex twice, edges
            of more than two triangles, triangles turned against their neighbors, neighbors that lie anywhere; and,
            where it must be closed, holes, handles, several pieces, vertices without a triangle, or all triangles
            turned inward.
    """
    mesh, place = _place(surface, file, subject)
    make_mesh(mesh.vertices.numpy(), mesh.faces.numpy(), **place)
    topology = mesh_topology(mesh)
    _require_manifold(topology, place)
    if closed:
        _require_closed(topology, handles, place)
    if topology.inconsistent_edges:
        _refuse(
            "some faces are flipped (inconsistent winding)",
            f"{topology.inconsistent_edges} edges whose two faces turn opposite ways",
            "all faces counter-clockwise seen from outside",
            "orient the faces alike, without dropping vertices",
            **place,
        )
    if closed and not (volume := signed_volume(mesh)) > 0:
        _refuse(
            "the surface is inside out: flipped faces, or mirrored, as of the other hemisphere",
            f"signed volume {volume:.6g} mm^3",
            "faces counter-clockwise seen from outside, a positive volume",
            "check which hemisphere the file belongs to, or reverse the order of each face",
            **place,
        )
    _require_neighbors(mesh, place)
    duplicates = _duplicates(mesh.vertices)
    if duplicates:
        _log.warning("%s: %d vertices lie exactly on another", Path(place["path"]).name or "surface", duplicates)
    return SurfaceReport(len(mesh.vertices), len(mesh.faces), topology.euler, topology.open_edges, duplicates)


def measure_sphere(mesh: Mesh) -> SphereReport:
    """How well a mesh is a sphere; nothing is refused.

    Args:
        mesh: vertices in mm ``(V, 3)`` and faces ``(F, 3)``.

    Returns:
        Measures; infinite where the mean radius is 0.
    """
    length = mesh.vertices.norm(dim=1)
    radius = float(length.mean())
    if radius <= 0:
        return SphereReport(radius, float("inf"), float("inf"), 0, 0.0, False, _duplicates(mesh.vertices))
    center = sphere_center(mesh.vertices)
    folded = int((torch.linalg.det(mesh.vertices[mesh.faces] / radius) < 0).sum())
    return SphereReport(
        radius=radius,
        radius_spread=float((length / radius - 1).abs().max()),
        center_offset=float(center.norm() / (mesh.vertices - center).norm(dim=1).mean()),
        folded=folded,
        folded_fraction=folded / max(1, len(mesh.faces)),
        flipped_winding=signed_volume(mesh) < 0,
        duplicates=_duplicates(mesh.vertices),
    )


def check_sphere(
    surface: SurfaceFile | Mesh, file: str | os.PathLike[str] = "", subject: str = "", *, max_folded: float = 0.01
) -> tuple[Mesh, SphereReport]:
    """Refuse what is no sphere about the origin, and scale what is to the unit sphere.

    Args:
        surface: as read from a file, or vertices in mm ``(V, 3)`` with faces ``(F, 3)``; of any radius.
        file: path for messages; "" takes the surface's own.
        subject: identifier for messages; "" takes the surface's own.
        max_folded: largest fraction of triangles of negative area, in [0, 1].

    Returns:
        Unit vectors ``(V, 3)`` float64 with the same faces, in the same order; and the measures before scaling.

    Raises:
        GeometryError: as :func:`check_surface`, off center, not of one radius, or too much folded.
    """
    mesh, place = _place(surface, file, subject)
    check_surface(surface, file, subject)
    report = measure_sphere(mesh)
    if report.center_offset > _OFFSET or report.radius_spread > _SPREAD:
        _refuse(
            "the sphere is off center" if _is_round(mesh.vertices) else "the surface is not a sphere (radius spread)",
            f"center offset {report.center_offset:.2%}, radius spread {report.radius_spread:.2%} "
            f"of the mean radius {report.radius:.5g} mm",
            f"center offset up to {_OFFSET:.1%}, radius spread up to {_SPREAD:.0%}",
            "name the sphere (?h.sphere), not the inflated surface, as it left the reconstruction",
            **place,
        )
    if report.folded_fraction > max_folded:
        _refuse(
            "the sphere is folded",
            f"{report.folded} of {len(mesh.faces)} triangles of negative area ({report.folded_fraction:.2%})",
            f"at most {max_folded:.2%}",
            "make the sphere again, or raise max_folded",
            **place,
        )
    return Mesh(torch.nn.functional.normalize(mesh.vertices, dim=1), mesh.faces), report


def require_same_vertices(counts: Mapping[str, int], subject: str = "") -> None:
    """Refuse surfaces of one hemisphere that differ in their number of vertices.

    Args:
        counts: number of vertices by path.
        subject: identifier for messages.

    Raises:
        GeometryError: two differ; names both files.
    """
    paths = list(counts)
    for path in paths[1:]:
        if counts[path] != counts[paths[0]]:
            _refuse(
                f"two surfaces of one hemisphere have different numbers of vertices; the other is {paths[0]}",
                f"{counts[path]:,} vertices",
                f"{counts[paths[0]]:,} vertices, as in {Path(paths[0]).name}",
                "use surfaces of one reconstruction",
                path=path,
                subject=subject,
            )


def require_hemisphere(expected: str, surface: SurfaceFile) -> None:
    """Refuse a surface of the other hemisphere; one that tells none passes.

    Args:
        expected: "lh" or "rh".
        surface: as read from a file.

    Raises:
        GeometryError: the file's name or content says the other hemisphere.
    """
    if surface.hemisphere and surface.hemisphere != expected:
        _refuse(
            "the surface belongs to the other hemisphere",
            surface.hemisphere,
            expected,
            "check that left and right were not mixed up",
            path=surface.path,
            subject=surface.subject,
        )


def _place(surface: SurfaceFile | Mesh, file: str | os.PathLike[str], subject: str) -> tuple[Mesh, dict[str, Any]]:
    if isinstance(surface, SurfaceFile):
        return surface.mesh, {"path": file or surface.path, "subject": subject or surface.subject}
    return surface, {"path": file, "subject": subject}


def _refuse(
    problem: str, found: object, expected: object, remedy: str, *, path: str | os.PathLike[str], subject: str
) -> NoReturn:
    raise GeometryError(problem, file=path, subject=subject, found=found, expected=expected, remedy=remedy)


def _require_manifold(topology: MeshTopology, place: dict[str, Any]) -> None:
    twice, many = topology.degenerate_faces, topology.nonmanifold_edges
    if twice or many:
        fault = "faces name a vertex twice (degenerate)" if twice else "edges have more than two faces (non-manifold)"
        _refuse(f"the surface is damaged: {fault}", twice or many, 0, "make the surface again", **place)


def _require_closed(topology: MeshTopology, handles: bool, place: dict[str, Any]) -> None:
    if (topology.euler != _SPHERE and not handles) or topology.open_edges or topology.components != 1:
        _refuse(
            "the surface is not closed, or has handles or several pieces",
            f"Euler characteristic {topology.euler}, {topology.open_edges} open edges, {topology.components} pieces, "
            f"{topology.unreferenced} vertices without a face (unreferenced)",
            f"Euler characteristic {_SPHERE}, 0 open edges, 1 piece, 0 vertices without a face",
            "use the whole surface of one hemisphere, with its topology corrected; open_surfaces accepts cut ones",
            **place,
        )


def _require_neighbors(mesh: Mesh, place: dict[str, Any]) -> None:
    share = neighbor_distance(mesh)
    if len(mesh.vertices) >= _MANY and share > _FAR:
        _refuse(
            "neighbors on the surface lie as far apart as any two of its vertices",
            f"edges of {share:.0%} of the mean distance of two vertices",
            f"at most {_FAR:.0%}",
            "check that vertices and faces are of one surface; in GIFTI, the attribute ArrayIndexingOrder",
            **place,
        )


def _duplicates(vertices: Tensor) -> int:
    points = vertices.numpy()
    points = points[np.lexsort(points.T)]
    return int((points[1:] == points[:-1]).all(1).sum())


def _is_round(vertices: Tensor) -> bool:
    """Whether the points lie on a sphere, wherever its center is."""
    length = (vertices - sphere_center(vertices)).norm(dim=1)
    return bool((length / length.mean() - 1).abs().max() <= _SPREAD)
