"""Gradients of functions on the sphere, and the potentials of vector fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import harmonic_degrees, harmonic_gradients
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import vertex_areas

__all__ = ["SurfaceGradient"]


class SurfaceGradient(nn.Module):
    r"""Gradient along the sphere of functions given by harmonics; and Helmholtz and Hodge's way back.

    A tangent field is :math:`v = \nabla f - x \times \nabla g`; its potentials are
    :math:`f_{lm} = \langle v, \nabla Y_{lm} \rangle / l(l+1)` and, with :math:`x \times v` in the place of v,
    :math:`g_{lm}`, by the quadrature of the mesh.

    Args:
        mesh: unit sphere with V vertices.
        degree: largest degree L of functions and potentials.

    Shape:
        forward: coefficients ``(..., (L + 1)^2)`` to ``(..., V, 3)``; ``potentials``: ``(..., V, 3)`` to
        ``(..., 2, (L + 1)^2)``, f and g, without degree 0.

    Reference:
        Freeden and Schreiner, Spherical Functions of Mathematical Geosciences, 2009, chapter 5.
    """

    slopes: Tensor
    inverse_eigenvalues: Tensor
    normals: Tensor
    areas: Tensor

    def __init__(self, mesh: Mesh, degree: int) -> None:
        super().__init__()
        points = nn.functional.normalize(mesh.vertices.double(), dim=1)
        degrees = harmonic_degrees(degree).double()
        buffers = {
            "slopes": harmonic_gradients(points, degree).transpose(1, 2).flatten(0, 1),  # (3 V, n)
            "inverse_eigenvalues": torch.where(degrees > 0, 1 / (degrees * (degrees + 1)).clamp_min(1), 0.0),
            "normals": points,
            "areas": vertex_areas(Mesh(points, mesh.faces)),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, coefficients: Tensor) -> Tensor:
        """Gradients at the vertices."""
        return (coefficients @ self.slopes.T.to(coefficients)).unflatten(-1, (-1, 3))

    def potentials(self, vectors: Tensor) -> Tensor:
        """Potentials of tangent vectors at the vertices."""
        turned = torch.linalg.cross(self.normals.to(vectors).expand_as(vectors), vectors)
        both = torch.stack([vectors, turned], -3) * self.areas.to(vectors)[:, None]
        found: Tensor = both.flatten(-2) @ self.slopes.to(vectors) * self.inverse_eigenvalues.to(vectors)
        return found
