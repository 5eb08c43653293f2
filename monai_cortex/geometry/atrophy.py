"""Thinning of a cortex by a known amount: its outer surface moves towards its inner one."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from monai_cortex.errors import ConfigError, GeometryError
from monai_cortex.geometry.distortion import mesh_edges
from monai_cortex.geometry.mesh import Mesh

__all__ = ["atrophy", "partner_thickness", "region_taper"]

_MOST = 0.8  # of the thickness: the surfaces must not touch


def partner_thickness(white: Mesh, pial: Mesh) -> Tensor:
    """Distance from each vertex of the white surface to its partner, the same vertex of the pial one.

    Args:
        white, pial: vertices ``(V, 3)`` in mm, the same faces.

    Returns:
        mm, ``(V,)``.

    Raises:
        GeometryError: the meshes differ in their vertices' number or their faces, or a coordinate is not finite.
    """
    _require_partners(white, pial)
    thickness: Tensor = (pial.vertices - white.vertices).norm(dim=1)
    return thickness


def atrophy(white: Mesh, pial: Mesh, dose: float, region: Tensor | None = None) -> Mesh:
    """Move each pial vertex towards its white partner by the dose times its weight, at most 0.8 of the thickness.

    Args:
        white, pial: vertices ``(V, 3)`` in mm, the same faces; partners have the same number.
        dose: mm, 0 or more.
        region: where, bool or weights in [0, 1], ``(V,)``; None is everywhere. See :func:`region_taper`.

    Returns:
        The thinner cortex' pial surface, mm; the white surface stays as it is.

    Raises:
        ConfigError: the dose is negative or not a number, or the region has another shape or other weights.
        GeometryError: the meshes differ in their vertices' number or their faces, or a coordinate is not finite.

    Reference:
        Bongratz et al., arXiv 2601.19498 (atrophy below the size of a voxel; the limit is this package's).
    """
    if not (math.isfinite(dose) and dose >= 0):
        raise ConfigError("the dose of atrophy cannot be used", found=f"{dose} mm", expected="a number, 0 mm or more")
    thickness = partner_thickness(white, pial)
    weights = _weights(region, thickness)
    share = torch.minimum(dose * weights, _MOST * thickness) / thickness.where(thickness > 0, thickness.new_ones(()))
    return Mesh(pial.vertices + share[:, None] * (white.vertices - pial.vertices), pial.faces)


def region_taper(mesh: Mesh, mask: Tensor, width_mm: float) -> Tensor:
    r"""Weights that fall from 1 in a region to 0 at some distance, :math:`\frac12 (1 + \cos(\pi d / w))`.

    Args:
        mesh: on which distances run along the edges, vertices ``(V, 3)`` in mm.
        mask: the region, bool ``(V,)``.
        width_mm: w, how far from the region weights reach, mm; 0 for none.

    Returns:
        Weights in [0, 1], ``(V,)``, in the dtype of the vertices; all 0 for an empty region.

    Raises:
        ConfigError: the mask has another shape or kind, or the width is negative or not a number.
    """
    if not (math.isfinite(width_mm) and width_mm >= 0):
        raise ConfigError("the width of a taper cannot be used", found=f"{width_mm} mm", expected="0 mm or more")
    if mask.dtype != torch.bool or mask.shape != mesh.vertices.shape[:1]:
        raise ConfigError(
            "a region is a mask of the vertices",
            found=f"{mask.dtype} of shape {tuple(mask.shape)}",
            expected=f"torch.bool of shape ({len(mesh.vertices)},)",
        )
    taper = mask.to(mesh.vertices)
    if width_mm > 0 and mask.any():
        distance = _along_edges(mesh, mask, width_mm).to(taper)
        taper = torch.where(distance < width_mm, (1 + torch.cos(math.pi * distance / width_mm)) / 2, 0.0)
    return taper


def _along_edges(mesh: Mesh, mask: Tensor, most: float) -> Tensor:
    """Length of the shortest way to the region, infinite beyond the most, ``(V,)``."""
    i, j = (part.cpu() for part in mesh_edges(mesh.faces).unbind(1))
    vertices = mesh.vertices.detach().cpu().double()
    # A length of 0 would be no edge in a sparse graph.
    lengths = (vertices[i] - vertices[j]).norm(dim=1).clamp_min(np.finfo(np.float64).tiny).numpy()
    graph = coo_matrix((lengths, (i.numpy(), j.numpy())), shape=(len(vertices),) * 2).tocsr()
    sources = mask.cpu().nonzero()[:, 0].numpy()
    return torch.from_numpy(dijkstra(graph, directed=False, indices=sources, limit=most, min_only=True))


def _weights(region: Tensor | None, thickness: Tensor) -> Tensor:
    if region is None:
        return torch.ones_like(thickness)
    weights = region.to(thickness)
    if weights.shape != thickness.shape or not ((weights >= 0) & (weights <= 1)).all():
        raise ConfigError(
            "the region of atrophy cannot be used",
            found=f"shape {tuple(weights.shape)}, weights from {weights.min():g} to {weights.max():g}"
            if weights.numel()
            else "no weights",
            expected=f"({len(thickness)},), bool or from 0 to 1",
        )
    return weights


def _require_partners(white: Mesh, pial: Mesh) -> None:
    if white.vertices.shape != pial.vertices.shape or not torch.equal(white.faces, pial.faces):
        raise GeometryError(
            "white and pial surface are not partners, vertex by vertex",
            found=f"{len(white.vertices)} and {len(pial.vertices)} vertices, {len(white.faces)} and {len(pial.faces)} "
            "faces" + (", differently connected" if white.faces.shape == pial.faces.shape else ""),
            expected="the same number of vertices and the same faces",
            remedy="take both surfaces from one reconstruction, or resample one onto the other",
        )
    for name, mesh in (("white", white), ("pial", pial)):
        bad = ~mesh.vertices.isfinite().all(1)
        if bad.any():
            raise GeometryError(
                f"the {name} surface holds NaN or infinite coordinates",
                found=f"{int(bad.sum())} of {len(bad)} vertices, the first is vertex {int(bad.nonzero()[0])}",
                expected="finite coordinates in mm",
            )
