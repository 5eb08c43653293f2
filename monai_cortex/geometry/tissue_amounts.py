"""How much of each tissue a voxel holds, when the orientations of its fibers are known."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

__all__ = ["fit_amounts"]


def fit_amounts(signal: Tensor, design: Tensor, coefficients: Tensor, count: int, most: float = 3.0) -> Tensor:
    r"""Scale orientation distributions, and choose isotropic tissues, so that they explain the signal best.

    .. math:: \min_{\alpha, g}\ \|S - \alpha D_f f - D_g g\|^2, \qquad 0 \le \alpha \le \alpha_{\max},\quad g \ge 0

    The minimum lies inside one of the faces of that box, so that the best feasible one of a few small linear systems
    is exact. The shape of the distribution, and with it every peak, stays what it is.

    Args:
        signal: S, ``(N, P)``.
        design: D, matrix from coefficients to the signal, ``(N, n + T)``.
        coefficients: f of n harmonics, then of T isotropic tissues, ``(n + T, P)``.
        count: n.
        most: largest factor of f: where next to no fibers were found, none are made up.

    Returns:
        Coefficients ``(n + T, P)``, in the dtype of those given.
    """
    white = design[:, :count] @ coefficients[:count]
    isotropic = design[:, count:]
    tissues = 1 + isotropic.shape[1]
    gram = signal.new_zeros(signal.shape[1], tissues, tissues, dtype=torch.float64)
    gram[:, 0, 0] = white.square().sum(0)
    gram[:, 0, 1:] = (isotropic.T @ white).T
    gram[:, 1:, 0] = gram[:, 0, 1:]
    gram[:, 1:, 1:] = isotropic.T @ isotropic
    target = torch.cat([(white * signal).sum(0)[None], isotropic.T @ signal]).T.double()
    best = torch.full_like(target[:, 0], torch.inf)
    amounts = torch.zeros_like(target)
    for fixed in product((None, 0.0, most), *[(None, 0.0)] * (tissues - 1)):
        trial = _on_face(gram, target, fixed)
        cost = torch.einsum("pi,pij,pj->p", trial, gram, trial) - 2 * (trial * target).sum(1)
        better = (trial >= 0).all(1) & (trial[:, 0] <= most) & (cost < best)
        best = torch.where(better, cost, best)
        amounts = torch.where(better[:, None], trial, amounts)
    scaled = amounts[:, 0] * coefficients[:count]
    return torch.cat([scaled, amounts[:, 1:].T]).to(coefficients)


def _on_face(gram: Tensor, target: Tensor, fixed: tuple[float | None, ...]) -> Tensor:
    """Minimum where some amounts are fixed and the others free, ``(P, T + 1)``."""
    amounts = torch.tensor([value or 0.0 for value in fixed], dtype=gram.dtype).repeat(len(gram), 1)
    free = [i for i, value in enumerate(fixed) if value is None]
    if free:
        system = gram[:, free][:, :, free]
        # A tissue without any signal has no amount of its own; the smallest weight on it makes it none.
        smallest = 1e-12 * system.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-30)
        system = system + smallest[:, None, None] * torch.eye(len(free), dtype=gram.dtype)
        rest = target[:, free] - torch.einsum("pij,pj->pi", gram[:, free], amounts)
        amounts[:, free] = torch.linalg.solve(system, rest)
    return amounts
