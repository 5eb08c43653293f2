"""A deformation found patch by patch among all small rotations: for maps that a gradient cannot bring together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import exponential, rotation_matrix
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, require_same_features, standardize

__all__ = ["ROUNDS", "PatchRound", "match_patches"]


class PatchRound(NamedTuple):
    """One search around the deformation found so far.

    Attributes:
        radius: largest angle of the rotations that are tried, in degree.
        spacing: between them, in degree.
        width: of a patch, in degree: its Gaussian weight falls to exp(-1/2).
        degree: of the rotation field.
        roughness: weight of its squared coefficients times l(l + 1) against the patches' rotations.
    """

    radius: float
    spacing: float
    width: float
    degree: int
    roughness: float


ROUNDS = (
    PatchRound(36.0, 6.0, 6.0, 4, 2e-3),
    PatchRound(16.0, 4.0, 5.0, 6, 1e-3),
    PatchRound(12.0, 3.0, 4.0, 6, 1e-3),
)
_LEVEL = 4  # of the icosphere on which maps are compared; patches lie around the vertices of the next coarser one
_COUPLING = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of patches to the field, in squared deviations per squared radian


def match_patches(fixed: SphereMap, moving: SphereMap, rounds: Sequence[PatchRound] = ROUNDS) -> Tensor:
    """Turn every patch to where it matches, and fit a smooth rotation field to what the patches say.

    A patch alone is ambiguous. The misfit of every patch under every rotation is kept; patches and field are fitted in
    turn, and what a patch pays for leaving the field grows.

    Args:
        fixed, moving: the same C features, aligned by a rotation.
        rounds: searches, coarse to fine.

    Returns:
        Coefficients of the field whose flow takes the moving vertices to the fixed sphere, in radian,
        ``(3, (L + 1)^2)``, L the last round's degree; float32. A start for an optimization: patches do not bend.

    Raises:
        ValueError: if the numbers of features differ, or one is constant or not finite.

    Reference:
        Heinrich, Papiez, Schnabel, Handels, WBIR 2014, LNCS 8545:11-20 (coupled convex discrete optimization);
        patches of the sphere and rotations in place of displacements are this project's.
    """
    require_same_features(fixed, moving)
    mesh, nodes = icosphere(_LEVEL), icosphere(_LEVEL - 1)
    areas, prepared = vertex_areas(mesh), locator(mesh)
    read, values = (standardize(m.at(mesh.vertices).double(), areas) for m in (fixed, moving))
    coefficients = torch.zeros(3, 0, dtype=torch.float64)
    for search in rounds:
        basis = real_harmonics(mesh.vertices, search.degree)
        start = pad(coefficients, (0, basis.shape[1] - coefficients.shape[1]))
        places = exponential(basis @ start.T, mesh, prepared=prepared)
        turns = _rotations(search)
        patch = torch.exp((nodes.vertices @ mesh.vertices.T - 1) / math.radians(search.width) ** 2) * areas
        patch = patch / patch.sum(1, keepdim=True)
        misfits = []
        for turn in turns:
            turned = places @ rotation_matrix(turn).T
            residual = interpolate(read, mesh, locate(turned, mesh, prepared)) - values
            misfits.append(patch @ residual.square().sum(0))
        # Fields add up like this only to first order; the next round and the optimization mend the rest.
        coefficients = start + _couple(torch.stack(misfits, 1), turns, nodes.vertices, search)
    return coefficients.float()


def _rotations(search: PatchRound) -> Tensor:
    """Axes times angles on a grid within a ball, in radian, ``(R, 3)``."""
    count = math.floor(search.radius / search.spacing)
    steps = torch.arange(-count, count + 1, dtype=torch.float64) * search.spacing
    grid = torch.cartesian_prod(steps, steps, steps)
    return torch.deg2rad(grid[grid.norm(dim=1) <= search.radius])


def _couple(misfit: Tensor, turns: Tensor, nodes: Tensor, search: PatchRound) -> Tensor:
    """Smooth field, ``(3, n)``, that agrees with the rotations of patches ``(P, R)``."""
    basis = real_harmonics(nodes, search.degree)
    degrees = harmonic_degrees(search.degree).double()
    share = 4 * math.pi / len(nodes)
    system = share * basis.T @ basis + search.roughness * torch.diag(degrees * (degrees + 1))
    fit = torch.linalg.solve(system, share * basis.T)
    chosen = turns[misfit.argmin(1)]
    for coupling in _COUPLING:
        away = torch.cdist(basis @ (fit @ chosen), turns).square()
        chosen = turns[(misfit + coupling * away).argmin(1)]
    return (fit @ chosen).T
