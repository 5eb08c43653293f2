r"""Graphs of HEALPix vertices, on the whole sphere and folded onto one hemisphere.

An antipodally symmetric signal is known from one vertex of each antipodal pair. The Laplacian of the sphere, applied
to such a signal, folds onto the kept vertices N:

.. math:: L^+ = L[N, N] + L[N, \bar N],

:math:`\bar N` being their antipodes. It keeps constants in its null space and its eigenvalues are eigenvalues of L, so
the same polynomial filter gives the same result at half the vertices.

Reference: Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from monai_cortex.geometry.graph import combinatorial_laplacian, nearest_neighbor_weights
from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index

__all__ = ["HemisphericGraph", "SphericalGraph", "hemispheric_graph", "spherical_graph"]


@dataclass(frozen=True)
class SphericalGraph:
    """HEALPix vertices of the sphere with their Laplacian.

    Attributes:
        nside: HEALPix resolution, a power of two.
        directions: unit vectors ``(V, 3)``, float64.
        laplacian: combinatorial Laplacian, dimensionless, ``(V, V)``, float64.
        maximum_eigenvalue: largest eigenvalue of the whole sphere's Laplacian, also for a hemisphere: the eigenvalues
            of the folded matrix are a subset, and filters agree only when both are scaled alike.
        children: for each vertex its four children in the graph of twice ``nside``, int64 ``(V, 4)``.
        parent: for each vertex its parent in the graph of half ``nside``, int64 ``(V,)``; None where ``nside`` is 1.
    """

    nside: int
    directions: Tensor
    laplacian: Tensor
    maximum_eigenvalue: float
    children: Tensor
    parent: Tensor | None

    @property
    def operator(self) -> Tensor:
        """Laplacian scaled to the spectrum [-1, 1], ``(V, V)``, float64."""
        identity = torch.eye(len(self.laplacian), dtype=self.laplacian.dtype)
        return 2 / self.maximum_eigenvalue * self.laplacian - identity


@dataclass(frozen=True)
class HemisphericGraph(SphericalGraph):
    """One vertex of each antipodal pair, with the folded Laplacian of the whole sphere."""


@lru_cache(maxsize=16)
def spherical_graph(nside: int, neighbors: int = 8) -> SphericalGraph:
    """Graph of the whole HEALPix sphere, V = 12 nside^2.

    Args:
        nside: HEALPix resolution, a power of two.
        neighbors: nearest neighbors before ties; edges weigh 2^-(d / sigma)^2 with sigma = 0.8 / nside (chord of the
            unit sphere, dimensionless).

    Returns:
        The graph; ``directions`` is ``(V, 3)``.
    """
    directions = healpix_directions(nside)
    vertices = torch.arange(len(directions))
    laplacian = combinatorial_laplacian(nearest_neighbor_weights(directions, neighbors, 0.8 / nside))
    return SphericalGraph(
        nside=nside,
        directions=directions,
        laplacian=laplacian,
        # Exact, not by a Lanczos iteration with a random start: the equality of both graphs hangs on it.
        maximum_eigenvalue=float(torch.linalg.eigvalsh(laplacian)[-1]),
        children=4 * vertices[:, None] + torch.arange(4),
        parent=vertices // 4 if nside > 1 else None,
    )


@lru_cache(maxsize=16)
def hemispheric_graph(nside: int, neighbors: int = 8) -> HemisphericGraph:
    """Graph of half the HEALPix sphere, V = 6 nside^2: one vertex of each antipodal pair.

    Args:
        nside: HEALPix resolution, a power of two.
        neighbors: nearest neighbors before ties on the whole sphere, see :func:`spherical_graph`.

    Returns:
        The graph; ``directions`` is ``(V, 3)``. A vertex beyond the rim is represented by its antipode, in
        ``laplacian``, ``children`` and ``parent`` alike.
    """
    whole = spherical_graph(nside, neighbors)
    kept = hemisphere_index(whole.directions)
    opposite = antipode_index(whole.directions)[kept]
    folded = whole.laplacian[kept][:, kept] + whole.laplacian[kept][:, opposite]
    return HemisphericGraph(
        nside=nside,
        directions=whole.directions[kept],
        laplacian=folded,
        maximum_eigenvalue=whole.maximum_eigenvalue,
        children=_hemisphere_number(2 * nside)[whole.children[kept]],
        parent=None if whole.parent is None else _hemisphere_number(nside // 2)[whole.parent[kept]],
    )


def _hemisphere_number(nside: int) -> Tensor:
    """Number on the hemisphere of each vertex of the sphere, or of its antipode, ``(12 nside^2,)``."""
    directions = healpix_directions(nside)
    kept = hemisphere_index(directions)
    number = torch.empty(len(directions), dtype=torch.int64)
    number[kept] = number[antipode_index(directions)[kept]] = torch.arange(len(kept))
    return number
