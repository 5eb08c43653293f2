"""Convolution over voxels and vertices, equivariant to rotations of both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_cortex.geometry.graph import clenshaw
from monai_cortex.geometry.hemisphere import SphericalGraph
from monai_cortex.networks.layers.vertex_layout import from_memory, to_memory

__all__ = ["HemisphericalConv", "radial_sums"]

_DENSE_VERTICES = 192  # up to here one dense product beats the sparse one
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
        sparse = len(graph.laplacian) > _DENSE_VERTICES
        self.register_buffer("operator", graph.operator.to_sparse() if sparse else graph.operator, persistent=False)
        self.spherical_weight = nn.Parameter(torch.empty(out_channels, in_channels, terms))
        nn.init.normal_(self.spherical_weight, std=(2 / (in_channels * terms)) ** 0.5)
        self.register_parameter("spatial_weight", None)
        if kernel_size == 3:  # noqa: PLR2004
            self.spatial_weight = nn.Parameter(torch.empty(out_channels, in_channels, _RADII))
            nn.init.normal_(self.spatial_weight, std=(2 / (27 * in_channels)) ** 0.5)
        self.bias = nn.Parameter(torch.full((out_channels,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        x = to_memory(x)
        features = x if self.spatial_weight is None else radial_sums(x)
        columns = features.reshape(-1, features.shape[-1])
        series = [(columns @ weight).view(len(x), -1) for weight in self._weights()]
        y = clenshaw(self.operator.to(x.dtype), series)
        return from_memory(y.view(*x.shape[:-1], -1) + self.bias)

    def _weights(self) -> tuple[Tensor, ...]:
        """Channel mixing of each polynomial, ``(radii * in_channels, out_channels)``."""
        if self.spatial_weight is None:
            return self.spherical_weight.permute(2, 1, 0).unbind()
        return torch.einsum("oik,oir->krio", self.spherical_weight, self.spatial_weight).flatten(1, 2).unbind()


def radial_sums(x: Tensor) -> Tensor:
    """Sums over the voxels at distance 0, 1, sqrt(2) and sqrt(3), borders replicated.

    The seven sums along axes are separable additions; a dense convolution would multiply 27 taps.

    Args:
        x: maps ``(..., I, J, K, C)``.

    Returns:
        Sums over 1, 6, 12 and 8 voxels, one after the other, ``(..., I, J, K, 4 * C)``.
    """
    i, j, k = (_neighbor_sum(x, axis) for axis in (-4, -3, -2))
    ij, ik, jk = _neighbor_sum(i, -3), _neighbor_sum(i, -2), _neighbor_sum(j, -2)
    return torch.cat([x, i + j + k, ij + ik + jk, _neighbor_sum(ij, -2)], -1)


def _neighbor_sum(x: Tensor, axis: int) -> Tensor:
    """Sum of the voxels before and after along one axis."""
    result: Tensor = _NeighborSum.apply(x, axis)
    return result


class _NeighborSum(torch.autograd.Function):
    """A symmetric operator, the replicated borders being on its diagonal: it is its own gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: int) -> Tensor:
        ctx.axis = axis
        size = x.shape[axis]
        result = torch.empty_like(x)
        result.narrow(axis, 1, size - 1).copy_(x.narrow(axis, 0, size - 1))
        result.narrow(axis, 0, 1).copy_(x.narrow(axis, 0, 1))
        result.narrow(axis, 0, size - 1).add_(x.narrow(axis, 1, size - 1))
        result.narrow(axis, size - 1, 1).add_(x.narrow(axis, size - 1, 1))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _neighbor_sum(gradients[0], ctx.axis), None
