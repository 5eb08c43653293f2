"""Loss of deformations that align features on the sphere."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_cortex.geometry.distortion import mesh_edges, triangle_areas
from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.sphere import corner_volumes, vertex_areas

__all__ = ["SphereRegistrationLoss", "SphereRegistrationTerms"]

_FLOOR = (
    5e-3  # of the misfit, in squared deviations of the features: about what interpolation leaves of a perfect match
)
_SMALLEST = 1e-6  # ratios of areas and lengths
_MARGIN = 0.05  # of a triangle's volume with the origin: below, it counts as about to fold


class SphereRegistrationTerms(NamedTuple):
    """Unweighted terms ``(...)``: misfit of each feature ``(..., C)`` in squared deviations, then regularization."""

    misfit: Tensor
    areal: Tensor
    edge: Tensor
    fold: Tensor
    velocity: Tensor


class SphereRegistrationLoss(nn.Module):
    r"""Misfit of the features against distortion of the sphere.

    .. math::
        \kappa \sum_c \log(\overline{(F_c \circ \psi - M_c)^2} + 0.005)
        + \lambda_a \overline{(\log_2 A'/A)^2} + \lambda_e \overline{(\log_2 l'/l)^2}
        + \lambda_f \overline{\max(0, 0.05 - V'/V)} + \lambda_v \sum_{lm} l(l+1)\,|\omega_{lm}|^2

    The logarithm makes the weight of the misfit what it is worth: it is the likelihood under normal noise of unknown
    variance, which two people's anatomy has much of and the same anatomy has none of. At a misfit of kappa it counts as
    much as a plain mean square. Areas and lengths are both needed: without the second, shear costs nothing and features
    match where anatomy does not.

    Args:
        mesh: unit sphere with V vertices on which maps are compared.
        kappa: weight of the misfit.
        areal, edge: weights of the strain of areas A and lengths l.
        fold: weight of triangles that are about to turn over; V is their signed volume with the origin.
        velocity: weight of the field's roughness.
        stiffness: factor of the last weights but that of folds.

    Shape:
        read and moving ``(..., C, V)``, moved ``(..., V, 3)``, coefficients ``(..., 3, (L + 1)^2)`` in radian; result:
        scalar, the mean over the leading dimensions.

    Reference:
        Yeo et al., IEEE Trans. Med. Imaging 29(3):650-668, 2010; Robinson et al., NeuroImage 167:453-465, 2018
        (strain). The likelihood and the weights are this project's.
    """

    faces: Tensor
    edges: Tensor
    share: Tensor
    area: Tensor
    length: Tensor
    volume: Tensor

    def __init__(  # noqa: PLR0913
        self,
        mesh: Mesh,
        *,
        kappa: float = 0.3,
        areal: float = 0.1,
        edge: float = 3.0,
        fold: float = 1.0,
        velocity: float = 2e-3,
        stiffness: float = 1.0,
    ) -> None:
        super().__init__()
        self.kappa, self.fold = kappa, fold
        self.areal, self.edge, self.velocity = (stiffness * weight for weight in (areal, edge, velocity))
        edges = mesh_edges(mesh.faces)
        areas = vertex_areas(mesh)
        buffers = {
            "faces": mesh.faces,
            "edges": edges,
            "share": areas / areas.sum(),
            "area": triangle_areas(mesh.vertices, mesh.faces),
            "length": (mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]]).norm(dim=1),
            "volume": corner_volumes(mesh.vertices[mesh.faces]),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float() if value.is_floating_point() else value, persistent=False)

    def terms(self, read: Tensor, moving: Tensor, moved: Tensor, coefficients: Tensor) -> SphereRegistrationTerms:
        """Terms before weighting.

        Args:
            read: features of the fixed sphere where the moving vertices go.
            moving: features of the moving sphere.
            moved: where its vertices go.
            coefficients: of the rotation field.
        """
        misfit = ((read - moving).square() * self.share.to(read)).sum(-1)
        a, b, c = (moved.index_select(-2, corner) for corner in self.faces.T)
        areas = torch.linalg.cross(b - a, c - a).norm(dim=-1) / 2
        volumes = corner_volumes(torch.stack([a, b, c], -2)) / self.volume.to(moved)
        i, j = (moved.index_select(-2, end) for end in self.edges.T)
        lengths = (i - j).norm(dim=-1)
        degrees = harmonic_degrees(round(coefficients.shape[-1] ** 0.5) - 1).to(coefficients)
        return SphereRegistrationTerms(
            misfit=misfit,
            areal=_strain(areas, self.area),
            edge=_strain(lengths, self.length),
            fold=(_MARGIN - volumes).clamp_min(0).mean(-1),
            velocity=(degrees * (degrees + 1) * coefficients.square()).sum((-2, -1)),
        )

    def weigh(self, terms: SphereRegistrationTerms, stiffness: Tensor | float = 1.0) -> Tensor:
        """Their weighted sum, a scalar, with one more factor ``(...)`` like that of the constructor."""
        regularization = self.areal * terms.areal + self.edge * terms.edge + self.velocity * terms.velocity
        misfit = self.kappa * torch.log(terms.misfit + _FLOOR).sum(-1)
        return (misfit + stiffness * regularization + self.fold * terms.fold).mean()

    def forward(self, read: Tensor, moving: Tensor, moved: Tensor, coefficients: Tensor) -> Tensor:
        return self.weigh(self.terms(read, moving, moved, coefficients))


def _strain(after: Tensor, before: Tensor) -> Tensor:
    return (after / before.to(after)).clamp(_SMALLEST, 1 / _SMALLEST).log2().square().mean(-1)
