"""Responses of tissue: the signal of one fiber, or of isotropic matter, on each shell."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import even_count, fit_matrix, real_harmonics
from monai_cortex.geometry.zonal import zonal_convolution, zonal_fit

__all__ = [
    "deconvolution_design",
    "fiber_response",
    "isotropic_response",
    "linear_deconvolution",
    "shell_harmonics",
]


def fiber_response(signal: Tensor, directions: Tensor, shell: Tensor, axes: Tensor, degree: int) -> Tensor:
    """Zonal response of single-fiber voxels, each turned so that its fiber lies along z.

    Args:
        signal: measurements ``(P, N)`` of P voxels.
        directions: gradient directions, unit vectors ``(N, 3)``.
        shell: number of the shell of each volume, ``(N,)`` int64, 0 for b = 0.
        axes: fiber directions, unit vectors ``(P, 3)``, in the axes of ``directions``.
        degree: largest even degree of the weighted shells.

    Returns:
        Zonal coefficients of degrees 0, 2, ..., for each shell in the signal's unit, ``(S, degree/2 + 1)``; the row
        of b = 0 has degree 0 only.

    Reference:
        Smith et al., ISMRM 2018, 4263 (amp2response); here without its constraints.
    """
    cosines = (axes @ directions.T).to(signal)
    rows = signal.new_zeros(int(shell.max()) + 1, degree // 2 + 1)
    rows[0, 0] = math.sqrt(4 * math.pi) * signal[:, shell == 0].mean()
    for number in range(1, len(rows)):
        here = shell == number
        rows[number] = zonal_fit(cosines[:, here].flatten(), signal[:, here].flatten(), degree)
    return rows


def isotropic_response(signal: Tensor, shell: Tensor) -> Tensor:
    """Response of isotropic tissue: the mean of each shell times sqrt(4 pi).

    Args:
        signal: measurements ``(P, N)`` of P voxels.
        shell: number of the shell of each volume, ``(N,)`` int64.

    Returns:
        Coefficient of degree 0 for each shell in the signal's unit, ``(S, 1)``.
    """
    means = [signal[:, shell == number].mean() for number in range(int(shell.max()) + 1)]
    return math.sqrt(4 * math.pi) * torch.stack(means)[:, None]


def deconvolution_design(directions: Tensor, shell: Tensor, responses: Tensor, degree: int) -> Tensor:
    r"""Matrix that maps orientations and isotropic tissues to the signal.

    .. math:: S(g) = \sum_{lm} \sqrt{\frac{4\pi}{2l + 1}}\, R_l(b)\, f_{lm} Y_{lm}(g) + \sum_t R^t_0(b)\, f^t_{00}

    Args:
        directions: gradient directions, unit vectors ``(N, 3)``.
        shell: number of the shell of each volume, ``(N,)`` int64.
        responses: zonal coefficients of white matter, then of each isotropic tissue, ``(T, S, n_l)``.
        degree: largest even degree L of the orientations.

    Returns:
        Matrix ``(N, (L + 1)(L + 2)/2 + T - 1)`` in the unit of the responses.

    Reference:
        Jeurissen et al., NeuroImage 103:411-426, 2014, eqs. 1 to 4.
    """
    # A volume at b = 0 has no direction: any will do, its response has degree 0 only.
    unit = torch.where((shell == 0)[:, None], directions.new_tensor([0.0, 0.0, 1.0]), directions)
    fibers = real_harmonics(unit, degree, even=True) * zonal_convolution(responses[0], degree)[shell].to(directions)
    return torch.cat([fibers, responses[1:, shell, 0].T.to(directions)], 1)


def linear_deconvolution(design: Tensor, regularization: float) -> Tensor:
    r"""Matrix that estimates coefficients from the signal, :math:`(D^T D + \lambda I)^{-1} D^T`.

    Args:
        design: D, from coefficients to signal, ``(N, n)``.
        regularization: lambda, in the squared unit of the design, positive.

    Returns:
        Matrix ``(n, N)``.

    Reference:
        Hoerl and Kennard, Technometrics 12(1):55-67, 1970.
    """
    penalty = regularization * torch.eye(design.shape[1]).to(design)
    result: Tensor = torch.linalg.solve(design.T @ design + penalty, design.T)
    return result


def shell_harmonics(count: int, directions: Tensor, shell: Tensor, degrees: list[int]) -> Tensor:
    """Matrix that fits even harmonics to every shell, the shells one after the other.

    Args:
        count: number of coefficients of each shell in the result; those above a shell's own degree are zero.
        directions: gradient directions, unit vectors ``(N, 3)``.
        shell: number of the shell of each volume, ``(N,)`` int64.
        degrees: largest even degree that each of the S shells supports.

    Returns:
        Matrix ``(S * count, N)``, dimensionless.

    Reference:
        Descoteaux et al., Magn. Reson. Med. 58(3):497-510, 2007 (Laplace-Beltrami regularization).
    """
    matrix = directions.new_zeros(len(degrees), count, len(directions))
    for number, degree in enumerate(degrees):
        here = (shell == number).nonzero()[:, 0]
        own = even_count(degree)
        fit = fit_matrix(directions[here], degree) if degree else _mean(len(here)).to(directions)
        matrix[number, :own, here] = fit
    return matrix.flatten(0, 1)


def _mean(count: int) -> Tensor:
    """Row that turns samples of a constant into its coefficient of degree 0, ``(1, count)``."""
    return torch.full((1, count), math.sqrt(4 * math.pi) / count, dtype=torch.float64)
