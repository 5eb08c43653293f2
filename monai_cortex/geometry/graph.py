"""Linear operators on graphs: weights, Laplacians and their polynomials."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["chebyshev_stack", "clenshaw", "combinatorial_laplacian", "nearest_neighbor_weights"]

_TIE = 1e-5


def nearest_neighbor_weights(points: Tensor, neighbors: int, scale: float) -> Tensor:
    r"""Gaussian weights :math:`w = 2^{-(d/\sigma)^2}` between nearest neighbors, symmetric.

    All points as far as the last neighbor (within 1e-5) are neighbors too: a graph that broke ties by index would
    lose the symmetries of the point set.

    Args:
        points: coordinates, ``(V, 3)``.
        neighbors: number of neighbors before ties, less than V.
        scale: sigma, distance at which the weight is one half, in the unit of the points.

    Returns:
        Symmetric weights, dimensionless, zero on the diagonal, ``(V, V)``.
    """
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    reach = distance.kthvalue(neighbors + 1, dim=1, keepdim=True).values + _TIE
    near = distance <= reach
    near = (near | near.T) & ~torch.eye(len(points), dtype=torch.bool)
    return torch.where(near, torch.exp(-math.log(2) * (distance / scale) ** 2), 0.0)


def combinatorial_laplacian(weights: Tensor) -> Tensor:
    """Laplacian D - W of symmetric edge weights ``(V, V)``, shape ``(V, V)``; constants are in its null space."""
    return torch.diag(weights.sum(1)) - weights


def chebyshev_stack(operator: Tensor, signal: Tensor, terms: int) -> Tensor:
    r"""Chebyshev polynomials :math:`T_0(A)x, \dots, T_{P-1}(A)x` by the three-term recurrence.

    Args:
        operator: A, rescaled Laplacian with spectrum in [-1, 1], sparse or dense, shape ``(V, V)``.
        signal: x, values at the vertices, shape ``(V, ...)``.
        terms: number of polynomials P, at least 1.

    Returns:
        Stack of shape ``(P, V, ...)``.

    Raises:
        ValueError: if ``terms`` is less than 1.
    """
    if terms < 1:
        raise ValueError(f"terms counts the polynomials from T_0 on and must be at least 1, got {terms}.")
    columns = signal.reshape(len(signal), -1)
    stack = [columns]
    if terms > 1:
        stack.append(operator @ columns)
    for _ in range(terms - 2):
        stack.append(2 * (operator @ stack[-1]) - stack[-2])
    return torch.stack(stack).reshape(terms, *signal.shape)


def clenshaw(operator: Tensor, coefficients: Tensor | list[Tensor]) -> Tensor:
    r"""Sum of a Chebyshev series, :math:`\sum_p T_p(A) c_p`, with two running terms instead of a stack.

    Args:
        operator: A, rescaled Laplacian with spectrum in [-1, 1], sparse or dense, shape ``(V, V)``.
        coefficients: c, values at the vertices for each of P polynomials, ``(P, V, ...)`` or a list of ``(V, ...)``.

    Returns:
        Values at the vertices, ``(V, ...)``.

    Reference:
        Clenshaw, Math. Tables Aids Comput. 9(51):118-120, 1955.
    """
    shape = coefficients[0].shape
    columns = [c.reshape(len(c), -1) for c in coefficients]
    if len(columns) == 1:
        return columns[0].reshape(shape)
    last, before = columns[-1], None
    for column in reversed(columns[1:-1]):
        start = column if before is None else column - before
        last, before = torch.addmm(start, operator, last, alpha=2), last
    start = columns[0] if before is None else columns[0] - before
    return torch.addmm(start, operator, last).reshape(shape)
