"""From diffusion signal to fiber orientations through a network on the sphere."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_cortex.geometry.harmonics import even_count, fit_matrix, real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph

__all__ = ["SphericalDeconvolver"]

_UNIFORM = math.log(math.expm1(1 / (4 * math.pi)))  # softplus of it is the amplitude of a uniform unit distribution


class SphericalDeconvolver(nn.Module):
    """Put the shells on the sphere, run a network there, read the tissues off it.

    The network sees one map for each shell and gives one for each tissue, made non-negative by a softplus that turns
    zero into the uniform distribution of unit mass. White matter is fitted by even harmonics; an isotropic tissue is
    the mean of its map.

    Args:
        network: maps ``(B, shells, V, I, J, K)`` to ``(B, 1 + isotropic, V, I, J, K)``, such as ``HemisphericalUNet``.
        nside: HEALPix resolution of the network's vertices.
        degree: largest even degree of the orientations.
        input_degree: largest even degree of the shells' harmonics.
        isotropic: number of isotropic tissues after white matter.
        hemisphere: whether the network's vertices are those of the hemisphere.

    Shape:
        Harmonics of the shells ``(B, shells * n_in, I, J, K)`` to ``(B, n + isotropic, I, J, K)``: n = (L + 1)(L + 2)/2
        coefficients of the orientation distribution (MRtrix's basis, 1/sr), then coefficient f_00 of each isotropic
        tissue.

    Raises:
        ValueError: if the orientations have more coefficients than the hemisphere has vertices.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819, section 3.
    """

    sampling: Tensor
    readout: Tensor

    def __init__(
        self,
        network: nn.Module,
        nside: int = 4,
        degree: int = 8,
        input_degree: int = 8,
        isotropic: int = 1,
        hemisphere: bool = True,
    ) -> None:
        super().__init__()
        directions = (hemispheric_graph if hemisphere else spherical_graph)(nside).directions
        if even_count(degree) > 6 * nside**2:
            raise ValueError(
                f"lmax {degree} has {even_count(degree)} coefficients but nside {nside} has {6 * nside**2} vertices "
                f"on the hemisphere; lower lmax or raise nside."
            )
        self.network = network
        self.isotropic = isotropic
        self.register_buffer("sampling", real_harmonics(directions, input_degree, even=True), persistent=False)
        self.register_buffer("readout", fit_matrix(directions, degree, regularization=0), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        shells = features.unflatten(1, (-1, self.sampling.shape[1]))
        signal = torch.einsum("vn,bsnijk->bsvijk", self.sampling.to(shells), shells)
        tissues = nn.functional.softplus(self.network(signal) + _UNIFORM)
        fibers = torch.einsum("nv,bvijk->bnijk", self.readout.to(tissues), tissues[:, 0])
        return torch.cat([fibers, math.sqrt(4 * math.pi) * tissues[:, 1:].mean(2)], 1)
