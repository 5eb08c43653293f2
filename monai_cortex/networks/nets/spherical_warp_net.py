"""Deformation of the sphere from the coefficients of two maps and the embedding of a score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from monai_cortex.geometry.feature_spectrum import feature_power
from monai_cortex.geometry.harmonics import harmonic_degrees
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.potential_field import potential_matrix
from monai_cortex.networks.blocks.spectral_block import SpectralBlock
from monai_cortex.networks.layers.degree_filter import DegreeFilter
from monai_cortex.networks.layers.spectral_attention import SpectralCrossAttention
from monai_cortex.networks.layers.surface_gradient import SurfaceGradient
from monai_cortex.networks.nets.spectral_unet import SpectralUNet

__all__ = ["SphericalWarpNet"]

_FIELDS = ("potentials", "absolute")
# Outputs of order 1 make fields of a tenth of a radian whose power falls with the degree, as that of warps does.
_SIZE, _FALL = {"potentials": 0.1, "absolute": 0.2}, {"potentials": -2.0, "absolute": -1.5}
_HEAT = (0.03, 0.01, 0.0)  # times of the heat flow that smooths the maps for the forces
_STEEP = 1e-3  # of a force's denominator


class SphericalWarpNet(nn.Module):
    r"""Rotation field that moves one map to another, or a better one than the field found so far.

    The network sees both maps, the field, and the forces of Thirion's demons between the maps at three scales of
    smoothing, :math:`(F - M) \nabla F / (|\nabla F|^2 + (F - M)^2)`, by their potentials. At the last block,
    the warp module, the features attend to the score's embedding. The head gives two potentials, whose field turns with
    the maps, or the field's components.

    Args:
        in_channels: features C of each map.
        degree: largest degree L of the maps.
        field_degree: largest degree D of the field, at most L.
        level: of the icosphere on which nonlinearities act.
        channels: of each level of the U, the first also of the score's embedding.
        attention: "degree", "gate" or "none", see :class:`~monai_cortex.networks.layers.SpectralCrossAttention`.
        field: "potentials", equivariant, or "absolute", three components in fixed axes, which are not.

    Shape:
        fixed map, read where the field takes the moving vertices, and moving map ``(B, C, (L + 1)^2)``, standardized
        in space; number ``(B,)`` such as the logarithm of a stiffness; embedding
        ``(B, channels[0], (L + 1)^2)``; field ``(B, 3, (D + 1)^2)``; result: coefficients of the rotation field
        in radian, ``(B, 3, (D + 1)^2)``; before training the field as it was.

    Raises:
        ValueError: for another kind of field or attention, or a field of higher degree than the maps.

    Reference:
        Lee, Pyatkovskiy, Yoo, Lyu, MICCAI 2025 (maps and embedding, attention at the warp layer); Thirion, Med. Image
        Anal. 2(3):243-260, 1998 (forces). Forces as input, potentials, widths and depth are this project's.
    """

    deviation: Tensor
    decays: Tensor
    fields: Tensor
    scalars: Tensor
    size: Tensor

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        in_channels: int = 1,
        degree: int = 20,
        field_degree: int = 12,
        level: int = 4,
        channels: Sequence[int] = (24, 32, 48),
        attention: str = "degree",
        field: str = "potentials",
    ) -> None:
        super().__init__()
        if field not in _FIELDS:
            raise ValueError(f"field is one of {', '.join(_FIELDS)}, got {field!r}.")
        if not 1 <= field_degree <= degree:
            raise ValueError(f"the field's degree must be 1 to {degree}, the maps' own, got {field_degree}.")
        self.field_degree = field_degree
        fields = _fields(field, field_degree)
        degrees = harmonic_degrees(degree)
        eigenvalues = (degrees * (degrees + 1)).double()
        buffers = {
            # The constant potentials have no field; the pseudo-inverse gives them zeros.
            "scalars": torch.linalg.pinv(fields.flatten(0, 1).flatten(1)).view(-1, *fields.shape[:2]),
            "fields": fields.flatten(2),
            "size": _SIZE["potentials"] * (1 + degrees.double()) ** _FALL["potentials"],
            "deviation": feature_power(degree).sqrt()[degrees],
            "decays": torch.exp(-eigenvalues * torch.tensor(_HEAT)[:, None]),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float(), persistent=False)
        self.gradient = SurfaceGradient(icosphere(level), degree)
        self.body = SpectralUNet(2 * in_channels + len(fields) + 2 * len(_HEAT), degree, level, channels)
        self.attention = SpectralCrossAttention(channels[0], channels[0], degree, attention)
        self.warp = SpectralBlock(channels[0], channels[0], self.body.transforms[0], channels[0])
        self.head = DegreeFilter(channels[0], len(fields), degree, zero=True)

    def forward(self, fixed: Tensor, moving: Tensor, number: Tensor, embedding: Tensor, field: Tensor) -> Tensor:  # noqa: PLR0913, PLR0917
        """Coefficients of the field."""
        found = torch.einsum("bk,kpn->bpn", field.flatten(1), self.scalars.to(field))
        found = pad(found, (0, fixed.shape[-1] - found.shape[-1]))
        seen = torch.cat([fixed / self.deviation, moving / self.deviation, found, self.forces(fixed, moving)], 1)
        hidden = self.attention(self.body(seen, number), embedding)
        added = self.head(self.warp(hidden, self.body.condition(number)))[..., : self.fields.shape[1]]
        return field + torch.einsum("bpn,pnk->bk", added, self.fields.to(added)).unflatten(1, (3, -1))

    def forces(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Potentials of the forces at all scales, ``(B, 2 S, (L + 1)^2)``, in units of a head's output."""
        smooth = [c[:, None] * self.decays[:, None] for c in (fixed, moving)]  # (B, S, C, n)
        slope = self.gradient(smooth[0])
        misfit = self.body.transforms[0].inverse((smooth[0] - smooth[1]).flatten(0, 1)).unflatten(0, slope.shape[:2])
        steepness = slope.square().sum((2, -1)) + misfit.square().sum(2) + _STEEP
        force = -(misfit[..., None] * slope).sum(2) / steepness[..., None]
        potentials: Tensor = self.gradient.potentials(force)
        return potentials.flatten(1, 2) / self.size


def _fields(kind: str, degree: int) -> Tensor:
    """Field of each scalar's harmonics in units of a head's output, ``(scalars, n, 3, (D + 1)^2)``."""
    if kind == "potentials":
        fields = potential_matrix(degree - 1)
    else:
        count = (degree + 1) ** 2
        fields = torch.eye(3 * count, dtype=torch.float64).view(3, count, 3, count)
    degrees = harmonic_degrees(math.isqrt(fields.shape[1]) - 1).double()
    return fields * (_SIZE[kind] * (1 + degrees) ** _FALL[kind])[:, None, None]
