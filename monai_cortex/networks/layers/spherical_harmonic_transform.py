"""Transform between values on a spherical mesh and coefficients of real spherical harmonics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.octants import Octants, fold, harmonic_parities, mirror_octants, unfold
from monai_cortex.geometry.sphere import vertex_areas

__all__ = ["SphericalHarmonicTransform"]


class SphericalHarmonicTransform(nn.Module):
    r"""Analysis by quadrature, refined, and synthesis, on one eighth of the mesh where it has mirror planes.

    With the values Y of the harmonics at the vertices and W the vertices' areas on the sphere, synthesis is
    :math:`x = Yc`. Analysis starts from :math:`c_0 = Y^T W x`, which misses by the error of the quadrature, and repeats
    :math:`c \leftarrow c + Y^T W (x - Yc)`. With the Gram matrix :math:`G = Y^T W Y` that is
    :math:`c \leftarrow c_0 + (1 - G) c`, which costs nothing: G is small and has no entries between parities.

    Args:
        mesh: sphere around the origin of any radius, such as ``icosphere(6)``. Without mirror planes in the coordinate
            planes the dense product is used.
        degree: largest degree L.
        refinements: repetitions. Each gains two to three digits for functions without higher degrees.
        dtype: in which the tables are kept, after they were computed in float64; torch's default where it is None.

    Shape:
        forward ``(B, C, V)`` to ``(B, C, (L + 1)^2)``; ``inverse`` back. Coefficients in the basis and order of
        :func:`monai_cortex.geometry.harmonics.real_harmonics`.

    Raises:
        ValueError: if the degree or the repetitions are negative, or the mesh has too few vertices.
    """

    images: Tensor
    multiplicity: Tensor
    analysis_scale: Tensor
    synthesis_scale: Tensor
    grouped: Tensor
    order: Tensor

    def __init__(self, mesh: Mesh, degree: int, refinements: int = 1, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        dtype = dtype or torch.get_default_dtype()
        if refinements < 0:
            raise ValueError(f"refinements counts repetitions and must be 0 or more, got {refinements}.")
        vertices = nn.functional.normalize(mesh.vertices.double(), dim=1)
        if (degree + 1) ** 2 > len(vertices):
            raise ValueError(
                f"degree {degree} has {(degree + 1) ** 2} coefficients, the mesh {len(vertices)} vertices."
            )
        octants = mirror_octants(vertices)
        share = 1 / octants.multiplicity.double()
        areas = vertex_areas(Mesh(vertices, mesh.faces))[octants.images[0]] * share
        parity = harmonic_parities(degree) if len(octants.images) > 1 else torch.zeros((degree + 1) ** 2)
        basis = real_harmonics(vertices[octants.images[0]], degree)
        self.degree, self.classes = degree, len(octants.images)
        columns = [(parity == p).nonzero()[:, 0] for p in range(self.classes)]
        for p, column in enumerate(columns):
            part = basis[:, column]
            gram = self.classes * part.T @ (areas[:, None] * part)
            self.register_buffer(f"basis_{p}", part.to(dtype).contiguous(), persistent=False)
            self.register_buffer(f"correction_{p}", _series(gram, refinements).to(dtype), persistent=False)
        buffers = {
            "images": octants.images,
            "multiplicity": octants.multiplicity,
            "analysis_scale": areas.to(dtype),
            "synthesis_scale": share.to(dtype),
            "grouped": torch.cat(columns),
            "order": torch.cat(columns).argsort(),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Coefficients of values at the vertices."""
        parts = fold(values.flatten(0, -2), self._octants(), self.analysis_scale.to(values))
        found = [
            parts[p] @ self._part("basis", p, values) @ self._part("correction", p, values) for p in range(self.classes)
        ]
        return torch.cat(found, 1)[:, self.order].unflatten(0, values.shape[:-1])

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Values at the vertices of coefficients."""
        if coefficients.shape[-1] != len(self.order):
            raise ValueError(f"degree {self.degree} has {len(self.order)} coefficients, got {coefficients.shape[-1]}.")
        rows = coefficients.flatten(0, -2)
        columns = rows[:, self.grouped].split([self._part("basis", p, rows).shape[1] for p in range(self.classes)], 1)
        parts = torch.stack([c @ self._part("basis", p, rows).T for p, c in enumerate(columns)])
        return unfold(parts, self._octants(), self.synthesis_scale.to(rows)).unflatten(0, coefficients.shape[:-1])

    def _octants(self) -> Octants:
        return Octants(self.images, self.multiplicity)

    def _part(self, name: str, parity: int, like: Tensor) -> Tensor:
        found: Tensor = getattr(self, f"{name}_{parity}")
        return found.to(like)


def _series(gram: Tensor, refinements: int) -> Tensor:
    """What the repetitions do to the first coefficients: 1 + (1 - G) + (1 - G)^2 + ..., symmetric."""
    result = one = torch.eye(len(gram), dtype=gram.dtype)
    for _ in range(refinements):
        result = one + (one - gram) @ result
    return result
