r"""Real spherical harmonics: the one place where their order, sign and normalization are defined.

The basis is MRtrix's: orthonormal over the sphere, order l then m = -l..l, with

.. math::
    Y_{lm} = \sqrt 2\,\mathrm{Im}\,Y_l^{|m|}\ (m < 0), \qquad Y_{l0} = Y_l^0, \qquad
    Y_{lm} = \sqrt 2\,\mathrm{Re}\,Y_l^m\ (m > 0),

the Condon-Shortley phase kept. The index of (l, m) is l*l + l + m where all degrees are present, and
l*(l + 1)/2 + m where only even degrees are (antipodally symmetric functions). Directions are unit vectors ``(..., 3)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd.functional import jvp

__all__ = [
    "even_count",
    "even_degree",
    "fit_degree",
    "fit_matrix",
    "harmonic_degrees",
    "harmonic_gradients",
    "real_harmonics",
]


def real_harmonics(directions: Tensor, degree: int, even: bool = False) -> Tensor:
    """Values of the real spherical harmonics, finite and differentiable everywhere, the poles included.

    Args:
        directions: unit vectors, ``(..., 3)``.
        degree: largest degree L, 0 or more.
        even: keep even degrees only; L must then be even.

    Returns:
        Values per sqrt(sr), ``(..., n)`` with n = (L + 1)^2, or (L + 1)(L + 2)/2 when even; in the input's dtype,
        computed in float64.

    Raises:
        ValueError: for a negative degree, or an odd one when only even degrees are kept.

    Reference:
        Tournier et al., NeuroImage 202:116137, 2019 (MRtrix3, its spherical harmonic basis).
    """
    _check_degree(degree, even)
    x, y, z = directions.double().unbind(-1)
    values: dict[tuple[int, int], Tensor] = {}
    # sin(theta)^m (cos, sin)(m phi) are polynomials in x and y: no division by sin(theta), so no NaN at the poles.
    cosine, sine = torch.ones_like(x), torch.zeros_like(x)
    for m in range(degree + 1):
        scale = math.sqrt(2) if m else 1.0
        for degree_l, legendre in enumerate(_reduced_legendre(z, m, degree), start=m):
            values[degree_l, m] = scale * legendre * cosine
            values[degree_l, -m] = scale * legendre * sine if m else values[degree_l, 0]
        cosine, sine = x * cosine - y * sine, x * sine + y * cosine
    order = [(d, m) for d in range(0, degree + 1, 2 if even else 1) for m in range(-d, d + 1)]
    return torch.stack([values[key] for key in order], -1).to(directions.dtype)


def harmonic_gradients(directions: Tensor, degree: int) -> Tensor:
    """Gradients of the real spherical harmonics along the sphere, all degrees, the poles included.

    Args:
        directions: unit vectors, ``(N, 3)``.
        degree: largest degree L, 0 or more.

    Returns:
        Tangent vectors per sqrt(sr), ``(N, (L + 1)^2, 3)``; float64.

    Raises:
        ValueError: for a negative degree.
    """
    points = directions.double()
    axes = torch.eye(3).to(points)
    # Of the harmonics as polynomials in space; their part along the radius means nothing.
    slopes = [
        jvp(lambda x: real_harmonics(x, degree), points, a.expand_as(points))[1]  # type: ignore[no-untyped-call]
        for a in axes
    ]
    gradients = torch.stack(slopes, -1)
    return gradients - (gradients * points[:, None]).sum(-1, keepdim=True) * points[:, None]


def harmonic_degrees(degree: int, even: bool = False) -> Tensor:
    """Degree l of each coefficient, ``(n,)`` int64, in the order of :func:`real_harmonics`."""
    _check_degree(degree, even)
    degrees = torch.arange(0, degree + 1, 2 if even else 1)
    return degrees.repeat_interleave(2 * degrees + 1)


def even_count(degree: int) -> int:
    """Number of coefficients of the even degrees up to L, (L + 1)(L + 2)/2, a scalar."""
    return (degree + 1) * (degree + 2) // 2


def even_degree(count: int) -> int:
    """Degree L of ``count`` even coefficients, the inverse of :func:`even_count`, a scalar.

    Raises:
        ValueError: if no degree has so many.
    """
    degree = round((math.sqrt(8 * count + 1) - 3) / 2)
    if degree % 2 or even_count(degree) != count:
        raise ValueError(f"even harmonics number 1, 6, 15, 28, 45, ..., got {count} coefficients.")
    return degree


def fit_degree(count: int, share: float = 0.95) -> int:
    """Largest even degree whose coefficients number at most ``share`` of ``count`` directions, a scalar."""
    degree = 0
    while even_count(degree + 2) <= share * count:
        degree += 2
    return degree


def fit_matrix(directions: Tensor, degree: int, regularization: float = 0.006) -> Tensor:
    r"""Least-squares fit of even harmonics to samples, smoothed by the Laplace-Beltrami operator.

    .. math:: (B^T B + \lambda\,\mathrm{diag}(l^2 (l + 1)^2))^{-1} B^T

    Args:
        directions: where the samples are, unit vectors ``(N, 3)``.
        degree: largest even degree L.
        regularization: weight lambda, dimensionless, 0 or more; 0 is the plain least-squares fit.

    Returns:
        Matrix ``(n, N)`` that maps samples to coefficients, in the input's dtype.

    Raises:
        ValueError: if there are fewer directions than coefficients and no regularization.

    Reference:
        Descoteaux et al., Magn. Reson. Med. 58(3):497-510, 2007, eq. 18.
    """
    if regularization == 0 and len(directions) < even_count(degree):
        raise ValueError(
            f"degree {degree} has {even_count(degree)} coefficients but there are {len(directions)} directions; "
            f"use at most degree {fit_degree(len(directions), 1.0)}."
        )
    basis = real_harmonics(directions.double(), degree, even=True)
    degrees = harmonic_degrees(degree, even=True).double()
    penalty = regularization * torch.diag((degrees * (degrees + 1)) ** 2)
    solution: Tensor = torch.linalg.solve(basis.T @ basis + penalty.to(basis), basis.T)
    return solution.to(directions.dtype)


def _check_degree(degree: int, even: bool) -> None:
    if degree < 0:
        raise ValueError(f"degree must be 0 or more, got {degree}.")
    if even and degree % 2:
        raise ValueError(
            f"an antipodally symmetric basis needs an even degree, got {degree}; "
            f"use {degree - 1} or {degree + 1}, or pass even=False."
        )


def _reduced_legendre(z: Tensor, m: int, degree: int) -> list[Tensor]:
    """Orthonormal associated Legendre functions of order m, divided by sin(theta)^m, for l = m..degree."""
    first = math.sqrt(1 / (4 * math.pi))
    for k in range(1, m + 1):
        first *= -math.sqrt((2 * k + 1) / (2 * k))
    rows = [torch.full_like(z, first)]
    for d in range(m + 1, degree + 1):
        gain = math.sqrt((4 * d * d - 1) / (d * d - m * m))
        row = gain * z * rows[-1]
        if d > m + 1:
            row = row - gain * math.sqrt(((d - 1) ** 2 - m * m) / (4 * (d - 1) ** 2 - 1)) * rows[-2]
        rows.append(row)
    return rows
