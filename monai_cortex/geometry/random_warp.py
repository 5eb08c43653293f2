"""Known smooth deformations of the sphere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from monai_cortex.geometry.barycentric import locator
from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.triangle_walk import TriangleWalk

__all__ = ["random_warp"]

_FALL = 1.5  # deviations of the field's coefficients fall with (1 + l)^-1.5
_TRIALS = 5  # displacement is nearly proportional to the field


def random_warp(
    mesh: Mesh,
    angle: float,
    generator: torch.Generator | None = None,
    degree: int = 6,
    prepared: TriangleWalk | None = None,
) -> Tensor:
    """Flow of a random rotation field without constant part, scaled to a mean displacement.

    Args:
        mesh: unit sphere with V vertices.
        angle: mean over the vertices of how far they move, in radian; 0 or more.
        generator: of the random numbers.
        degree: largest of the field, 1 or more.
        prepared: result of ``barycentric.locator`` for the mesh, where it is used again.

    Returns:
        Where the vertices go, unit vectors ``(V, 3)``, float64.

    Raises:
        ValueError: for a negative angle or a degree below 1.
    """
    if angle < 0 or degree < 1:
        raise ValueError(f"need an angle of 0 or more and a degree of 1 or more, got {angle} and {degree}.")
    degrees = harmonic_degrees(degree).double()
    deviation = (1 + degrees) ** -_FALL * (degrees > 0)
    coefficients = deviation * torch.randn(3, len(degrees), generator=generator, dtype=torch.float64)
    field = real_harmonics(mesh.vertices.double(), degree) @ coefficients.T
    field = field * angle / field.norm(dim=1).mean()
    moved = mesh.vertices.double()
    prepared = locator(mesh) if prepared is None else prepared
    for _ in range(_TRIALS if angle else 0):
        moved = exponential(field, mesh, prepared=prepared)
        field = field * angle / arc_angle(moved, mesh.vertices.to(moved)).mean()
    return normalize(moved, dim=1)
