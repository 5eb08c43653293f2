"""Convolution over voxels and vertices, equivariant to rotations of both."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_cortex.geometry.graph import clenshaw
from monai_cortex.geometry.hemisphere import SphericalGraph
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["HemisphericalConv", "radial_sums"]

_DENSE_VERTICES = 48  # up to here a dense product beats a sparse one on a CPU
_COLUMNS = 4096  # values at a vertex in one block of voxels: intermediate maps then stay in the cache
_RADII = 4  # 0, 1, sqrt(2), sqrt(3) in a stencil of 3^3 voxels


class HemisphericalConv(nn.Module):
    r"""Chebyshev filter over the vertices times an isotropic filter over the voxels.

    .. math:: y_o = b_o + \sum_{i,k,r} w_{oik}\, v_{oir}\; T_k(A)\, s_r(x_i)

    with :math:`s_r` the sum over the voxels at distance r (0, 1, sqrt(2), sqrt(3) voxels). The layer commutes with
    every symmetry of the graph and with the 48 symmetries of the voxel grid. On antipodally symmetric signals the
    hemispheric graph gives what the spherical graph gives.

    Args:
        in_channels: features in.
        out_channels: features out.
        graph: vertices and their scaled Laplacian A; kept as a buffer, left out of checkpoints.
        terms: number of Chebyshev polynomials, at least 1.
        kernel_size: 3 mixes neighboring voxels (borders are replicated), 1 does not.

    Shape:
        ``(B, in_channels, V, I, J, K)`` to ``(B, out_channels, V, I, J, K)``.

    Raises:
        ValueError: for another kernel size than 1 or 3, or fewer than one term.

    Reference:
        Elaldi, Gerig, Dey, NeurIPS 2024, arXiv:2411.11819; Defferrard et al., NeurIPS 2016, eq. 5, arXiv:1606.09375.
    """

    operator: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, graph: SphericalGraph, terms: int = 5, kernel_size: int = 3
    ) -> None:
        super().__init__()
        if kernel_size not in (1, 3):
            raise ValueError(f"kernel_size must be 1 or 3 voxels, got {kernel_size}.")
        if terms < 1:
            raise ValueError(f"terms counts the polynomials from T_0 on and must be at least 1, got {terms}.")
        # Kept in float64 and rounded where it is applied: a layer turned to double is then exact.
        self.register_buffer("operator", graph.operator, persistent=False)
        self.spherical_weight = nn.Parameter(torch.empty(out_channels, in_channels, terms))
        nn.init.normal_(self.spherical_weight, std=(2 / (in_channels * terms)) ** 0.5)
        self.register_parameter("spatial_weight", None)
        if kernel_size == 3:  # noqa: PLR2004
            self.spatial_weight = nn.Parameter(torch.empty(out_channels, in_channels, _RADII))
            nn.init.normal_(self.spatial_weight, std=(2 / (27 * in_channels)) ** 0.5)
        self.bias = nn.Parameter(torch.full((out_channels,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        x = to_memory(x)
        features = x[:, None] if self.spatial_weight is None else radial_sums(x)
        operator, weights = self.operator.to(x.dtype), self._weights()
        if x.device.type == "cpu" and len(operator) > _DENSE_VERTICES:
            operator = operator.to_sparse()
        blocks = features.flatten(2, -2).split(max(1, _COLUMNS // len(self.bias)), 2)
        y = [clenshaw(operator, [_mix(block, *w) for w in weights]) for block in blocks]
        return from_memory((y[0] if len(y) == 1 else torch.cat(y, 1)).view(*x.shape[:-1], -1))

    def _weights(self) -> list[tuple[Tensor, Tensor | None]]:
        """Channel mixing of each polynomial, ``(out_channels, radii, in_channels)``, and what it adds."""
        if self.spatial_weight is None:
            weights = self.spherical_weight.permute(2, 0, 1)[:, :, None]
        else:
            weights = torch.einsum("oik,oir->kori", self.spherical_weight, self.spatial_weight)
        return [(weight, None if k else self.bias) for k, weight in enumerate(weights)]


def _mix(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Sum over radii and channels, ``(V, R, N, C)`` to ``(V, N, out_channels)``."""
    if features.device.type == "cpu" and features.dtype == torch.float32:
        # Read as images of R x N pixels with the channels last, this is a convolution with a kernel of R x 1 pixels.
        # It needs no copy, and oneDNN computes it at up to six times the speed of a matrix product this narrow.
        y = F.conv2d(features.permute(0, 3, 1, 2), weight.permute(0, 2, 1)[..., None], bias)
        return y[:, :, 0].transpose(1, 2)
    return F.linear(features.transpose(1, 2).flatten(2), weight.flatten(1), bias)


def radial_sums(x: Tensor) -> Tensor:
    """Sums over the voxels at distance 0, 1, sqrt(2) and sqrt(3), borders replicated.

    With n the sum over both neighbors along an axis, they are the coefficients of the product of (1 + n E) over the
    three axes in powers of E: six separable sums, where a dense convolution multiplies 27 taps.

    Args:
        x: maps ``(V, ..., I, J, K, C)``.

    Returns:
        Sums over 1, 6, 12 and 8 voxels, ``(V, 4, ..., I, J, K, C)``.
    """
    result: Tensor = _RadialSums.apply(x)
    return result


class _RadialSums(torch.autograd.Function):
    """Each step is symmetric, the replicated borders being on its diagonal: backward takes them in reverse."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result = x.new_zeros(len(x), _RADII, *x.shape[1:])
        result[:, 0] = x
        for axis in (1, 2, 3):
            for r in range(axis, 0, -1):
                _add_neighbors(result[:, r], result[:, r - 1], -1 - axis)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result = gradients[0].clone()
        for axis in (3, 2, 1):
            for r in range(1, axis + 1):
                _add_neighbors(result[:, r - 1], result[:, r], -1 - axis)
        return result[:, 0]


def _add_neighbors(total: Tensor, x: Tensor, axis: int) -> None:
    """Add the voxels before and after along one axis."""
    size = x.shape[axis]
    for start, source in ((1, 0), (0, 1)):
        total.narrow(axis, start, size - 1).add_(x.narrow(axis, source, size - 1))
    for border in (0, size - 1):
        total.narrow(axis, border, 1).add_(x.narrow(axis, border, 1))
