"""From diffusion signal to fiber orientations through a network on the sphere."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from monai_cortex.errors import ConfigError
from monai_cortex.networks.layers.vertex_harmonics import vertex_fit, vertex_harmonics

__all__ = ["SphericalDeconvolver"]

_UNIFORM = math.log(math.expm1(1 / (4 * math.pi)))  # softplus of it is the amplitude of a uniform unit distribution
_READOUTS: dict[str, Callable[[Tensor, int], Tensor]] = {"mean": torch.mean, "max": torch.amax}


class SphericalDeconvolver(nn.Module):
    """Put the shells on the sphere, run a network there, read the tissues off it.

    The network sees one map for each group of features and gives one for each tissue, made non-negative by a softplus
    that turns zero into the uniform distribution of unit mass. White matter is fitted by even harmonics; an isotropic
    tissue is one number read off its map.

    Args:
        network: maps ``(B, groups, V, I, J, K)`` to ``(B, 1 + isotropic, V, I, J, K)``, such as ``HemisphericalUNet``.
        nside: HEALPix resolution of the network's vertices.
        degree: largest even degree of the orientations.
        input_degree: largest even degree of the features' harmonics.
        hemisphere: whether the network's vertices are those of the hemisphere.
        isotropic_readout: "mean" over the vertices, which rotations do not change, or "max", as published.

    Shape:
        Harmonics of any number of groups, such as shells, ``(B, groups * n_in, I, J, K)`` to
        ``(B, n + isotropic, I, J, K)``: n = (L + 1)(L + 2)/2 coefficients of the orientation distribution (MRtrix's
        basis, 1/sr), then coefficient f_00 of each isotropic tissue.

    Raises:
        ConfigError: if the orientations have more coefficients than the hemisphere has vertices, the readout has
            another name, or the features are no whole number of groups.

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
        hemisphere: bool = True,
        isotropic_readout: str = "mean",
    ) -> None:
        super().__init__()
        if isotropic_readout not in _READOUTS:
            raise ConfigError(
                "isotropic tissues cannot be read off like that",
                found=f"isotropic_readout {isotropic_readout!r}",
                expected=" or ".join(map(repr, _READOUTS)),
            )
        self.network = network
        self.isotropic_readout = isotropic_readout
        self.register_buffer("sampling", vertex_harmonics(nside, input_degree, hemisphere), persistent=False)
        self.register_buffer("readout", vertex_fit(nside, degree, hemisphere), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        groups = features.unflatten(1, (self._groups(features), -1))
        signal = torch.einsum("vn,bsnijk->bsvijk", self.sampling.to(groups), groups)
        tissues = nn.functional.softplus(self.network(signal) + _UNIFORM)
        fibers = torch.einsum("nv,bvijk->bnijk", self.readout.to(tissues), tissues[:, 0])
        mass = _READOUTS[self.isotropic_readout](tissues[:, 1:], 2)
        return torch.cat([fibers, math.sqrt(4 * math.pi) * mass], 1)

    def _groups(self, features: Tensor) -> int:
        count, size = features.shape[1], self.sampling.shape[1]
        if count % size:
            raise ConfigError(
                "the features are no whole number of groups",
                found=f"{count} channels",
                expected=f"a multiple of {size}, the coefficients of one group",
                remedy="give preprocessing and network the same degree",
            )
        return count // size
