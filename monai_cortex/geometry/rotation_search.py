r"""The rotation that best aligns two functions on the sphere, found among all rotations at once.

The correlation of f with the rotated g is a sum over Wigner's matrices. In the first and the last Euler angle it is a
Fourier series, so that one fast transform for each angle between gives it everywhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_cortex.geometry.rotation_field import rotation_matrix

__all__ = ["best_rotations", "rotation_correlation", "wigner_rotation"]


def rotation_correlation(first: Tensor, second: Tensor, samples: int = 64) -> Tensor:
    r"""Integral of f times the rotated g over the sphere, for a grid of rotations.

    Args:
        first, second: real coefficients of f and g, all degrees up to L, ``((L + 1)^2,)`` or ``(C, (L + 1)^2)``, whose
            correlations are added.
        samples: n, of Euler angles alpha and gamma from 0 to 2 pi; beta has n/2 + 1 samples from 0 to pi.

    Returns:
        Correlation with g rotated by Rz(alpha) Ry(beta) Rz(gamma), ``(n / 2 + 1, n, n)`` by beta, alpha, gamma.

    Raises:
        ValueError: if the numbers of coefficients differ or fill no degree, or the grid is too coarse for the degree.

    Reference:
        Kostelec and Rockmore, J. Fourier Anal. Appl. 14:145-179, 2008.
    """
    if first.shape != second.shape or math.isqrt(first.shape[-1]) ** 2 != first.shape[-1]:
        raise ValueError(
            f"need (L + 1)^2 coefficients each, got shapes {tuple(first.shape)} and {tuple(second.shape)}."
        )
    f, g = (_complex(c.double().reshape(-1, c.shape[-1])) for c in (first, second))
    degree = math.isqrt(f.shape[1]) - 1
    if samples < 2 * degree + 1:
        raise ValueError(f"degree {degree} needs at least {2 * degree + 1} samples of an angle, got {samples}.")
    beta = torch.linspace(0, math.pi, samples // 2 + 1, dtype=torch.float64)
    spectrum = torch.zeros(len(beta), samples, samples, dtype=torch.complex128)
    for d in range(degree + 1):
        part = slice(d * d, (d + 1) * (d + 1))
        order = torch.arange(-d, d + 1) % samples
        product = torch.einsum("cm,cn->mn", f[:, part].conj(), g[:, part])
        spectrum[:, order[:, None], order] += product * _small_wigner(d, beta)
    result: Tensor = torch.fft.fft2(spectrum).real
    return result


def best_rotations(first: Tensor, second: Tensor, number: int = 4, samples: int = 64) -> Tensor:
    """Rotations of g that correlate best with f, each better than all of the grid around it.

    Args:
        first, second, samples: see :func:`rotation_correlation`.
        number: how many.

    Returns:
        Matrices, the best first, ``(number or fewer, 3, 3)``, float64.

    Raises:
        ValueError: if coefficients are not finite, or none is asked for.
    """
    if number < 1 or not (first.isfinite().all() and second.isfinite().all()):
        raise ValueError(f"need finite coefficients and at least one rotation to return, got number={number}.")
    found = rotation_correlation(first, second, samples)
    # Around in the first and last angle; mirrored in the middle one, beyond whose ends lie rotations of the same poles.
    half = samples // 2
    padded = torch.cat([found[1:2].roll((half, half), (1, 2)), found, found[-2:-1].roll((half, half), (1, 2))])
    padded = torch.nn.functional.pad(padded[None, None], (1, 1, 1, 1, 0, 0), mode="circular")
    highest = torch.nn.functional.max_pool3d(padded, 3, 1)[0, 0]
    peaks = (found >= highest).nonzero()
    order = found[tuple(peaks.T)].argsort(descending=True)
    kept: list[Tensor] = []
    for b, a, c in peaks[order].tolist():
        matrix = wigner_rotation(2 * math.pi * a / samples, math.pi * b / half, 2 * math.pi * c / samples)
        # At the poles of the middle angle one rotation has many pairs of the others.
        if all(_angle(matrix, other) > 4 * math.pi / samples for other in kept):
            kept.append(matrix)
        if len(kept) >= number:
            break
    return torch.stack(kept)


def _angle(first: Tensor, second: Tensor) -> float:
    return math.acos(max(-1.0, min(1.0, (float((first * second).sum()) - 1) / 2)))


def wigner_rotation(alpha: float, beta: float, gamma: float) -> Tensor:
    """Matrix Rz(alpha) Ry(beta) Rz(gamma), angles in radian, ``(3, 3)``, float64."""
    y, z = torch.eye(3, dtype=torch.float64)[1:]
    return rotation_matrix(alpha * z) @ rotation_matrix(beta * y) @ rotation_matrix(gamma * z)


def _complex(real: Tensor) -> Tensor:
    """Coefficients of the complex harmonics, of those of the real ones ``(C, n)``."""
    degree = math.isqrt(real.shape[1]) - 1
    result = torch.zeros(real.shape, dtype=torch.complex128)
    for d in range(degree + 1):
        middle = d * d + d
        result[:, middle] = real[:, middle].to(torch.complex128)
        for m in range(1, d + 1):
            value = torch.complex(real[:, middle + m], -real[:, middle - m]) / math.sqrt(2)
            result[:, middle + m] = value
            result[:, middle - m] = (-1) ** m * value.conj()
    return result


def _small_wigner(degree: int, beta: Tensor) -> Tensor:
    """Wigner's d of angles ``(S,)``, exp(-i beta J_y) by the eigenvectors of J_y, ``(S, 2 l + 1, 2 l + 1)``."""
    m = torch.arange(-degree, degree, dtype=torch.float64)
    raising = torch.diag(torch.sqrt(degree * (degree + 1) - m * (m + 1)), -1)
    generator = torch.complex(torch.zeros_like(raising), -(raising - raising.T) / 2)
    values, vectors = torch.linalg.eigh(generator)
    phases = torch.exp(-1j * beta[:, None] * values)
    return torch.einsum("mk,sk,nk->smn", vectors, phases, vectors.conj())
