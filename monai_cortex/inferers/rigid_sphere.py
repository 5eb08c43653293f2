"""The rotation that aligns the features of two spheres."""

from __future__ import annotations

import torch
from scipy.optimize import minimize
from torch import Tensor

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.rotation_field import rotation_matrix
from monai_cortex.geometry.rotation_search import best_rotations
from monai_cortex.geometry.sphere import vertex_areas
from monai_cortex.geometry.sphere_map import SphereMap, require_same_features, standardize
from monai_cortex.networks.layers.spherical_harmonic_transform import SphericalHarmonicTransform

__all__ = ["align_rotation"]


def align_rotation(fixed: SphereMap, moving: SphereMap, level: int = 4, degree: int = 16) -> Tensor:
    """Search all rotations by harmonics, then refine the best few on the features themselves.

    Args:
        fixed, moving: the same C features on two spheres.
        level: of the icosphere on which they are compared.
        degree: largest of the search.

    Returns:
        Matrix that takes directions of the moving sphere to those of the fixed one, ``(3, 3)``, float64.

    Raises:
        ValueError: if the numbers of features differ, or one is constant or not finite.
    """
    require_same_features(fixed, moving)
    mesh = icosphere(level)
    transform = SphericalHarmonicTransform(mesh, degree, dtype=torch.float64)
    areas = vertex_areas(mesh)
    maps = [standardize(m.at(mesh.vertices).double(), areas) for m in (fixed, moving)]
    coefficients = [transform(values[None])[0] for values in maps]
    prepared = locator(mesh)

    def misfit(turn: Tensor, rotation: Tensor) -> Tensor:
        places = mesh.vertices @ (rotation_matrix(turn) @ rotation).T
        read = interpolate(maps[0], mesh, locate(places, mesh, prepared))
        return ((read - maps[1]).square() * areas).sum()

    def objective(x: list[float], rotation: Tensor) -> tuple[float, list[float]]:
        turn = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        value = misfit(turn, rotation)
        (gradient,) = torch.autograd.grad(value, turn)
        return float(value.detach()), gradient.tolist()

    # The search finds R with f(x) = g(R^-1 x), and moving directions go to R times themselves.
    best, result = float("inf"), torch.eye(3, dtype=torch.float64)
    for rotation in best_rotations(*coefficients):
        found = minimize(objective, [0.0] * 3, (rotation,), method="L-BFGS-B", jac=True, options={"maxiter": 30})
        if found.fun < best:
            best, result = found.fun, rotation_matrix(torch.as_tensor(found.x)) @ rotation
    return result
