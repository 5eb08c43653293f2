"""Linear operators on graphs: weights, Laplacians and their polynomials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

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
    return torch.stack(_polynomials(operator, columns, terms)).reshape(terms, *signal.shape)


def clenshaw(operator: Tensor, coefficients: Tensor | Sequence[Tensor]) -> Tensor:
    r"""Sum of a Chebyshev series, :math:`\sum_p T_p(A) c_p`, with two running terms instead of a stack.

    Differentiable in the coefficients, not in the operator. The gradient of :math:`c_p` is :math:`T_p(A^T)` of the
    incoming one, so nothing but the operator is kept for it.

    Args:
        operator: A, rescaled Laplacian with spectrum in [-1, 1], sparse or dense, shape ``(V, V)``.
        coefficients: c, values at the vertices for each of P polynomials, ``(P, V, ...)`` or a list of ``(V, ...)``.

    Returns:
        Values at the vertices, ``(V, ...)``.

    Reference:
        Clenshaw, Math. Tables Aids Comput. 9(51):118-120, 1955.
    """
    if len(coefficients) == 1:
        return coefficients[0]
    result: Tensor = _Series.apply(operator, *(c.reshape(len(c), -1) for c in coefficients))  # type: ignore[no-untyped-call]
    return result.reshape(coefficients[0].shape)


def _polynomials(operator: Tensor, columns: Tensor, terms: int) -> list[Tensor]:
    """The polynomials of :func:`chebyshev_stack`, of columns ``(V, N)``."""
    stack = [columns]
    if terms > 1:
        stack.append(operator @ columns)
    for _ in range(terms - 2):
        stack.append(torch.addmm(stack[-2], operator, stack[-1], beta=-1, alpha=2))
    return stack


class _Series(torch.autograd.Function):
    """Clenshaw's recurrence; the stack of polynomials is its adjoint."""

    @staticmethod
    def forward(ctx: Any, operator: Tensor, *columns: Tensor) -> Tensor:
        ctx.save_for_backward(operator)
        ctx.terms = len(columns)
        last, before = columns[-1], None
        for p in reversed(range(len(columns) - 1)):
            start = columns[p].clone() if before is None else columns[p] - before
            last, before = start.addmm_(operator, last, alpha=2 if p else 1), last
        return last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (operator,) = ctx.saved_tensors
        return None, *_polynomials(operator.t(), gradients[0], ctx.terms)
