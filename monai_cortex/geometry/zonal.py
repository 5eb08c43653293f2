r"""Zonal functions: symmetric about z, given by coefficients R_l of even degrees l = 0, 2, ...

A single-fiber response is one: :math:`R(\theta) = \sum_l R_l Y_{l0}(\theta)`, as in MRtrix's response files.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import harmonic_degrees, real_harmonics

__all__ = ["tensor_response", "zonal_convolution", "zonal_fit"]


def zonal_convolution(response: Tensor, degree: int) -> Tensor:
    r"""Factors that turn coefficients of orientations into coefficients of their signal.

    .. math:: S_{lm} = \sqrt{\frac{4\pi}{2l + 1}}\, R_l\, f_{lm}

    Args:
        response: zonal coefficients of degrees 0, 2, ..., ``(..., n_l)``; missing degrees count as zero.
        degree: largest even degree L of the orientations.

    Returns:
        One factor for each even coefficient, in the response's unit, ``(..., (L + 1)(L + 2)/2)``.

    Reference:
        Driscoll and Healy, Adv. Appl. Math. 15(2):202-250, 1994, theorem 1; Tournier et al., NeuroImage 23(3), 2004.
    """
    degrees = harmonic_degrees(degree, even=True).to(response.device)
    count = degree // 2 + 1
    padded = torch.nn.functional.pad(response, (0, max(0, count - response.shape[-1])))[..., degrees // 2]
    return padded * (4 * math.pi / (2 * degrees.double() + 1)).sqrt().to(padded)


def zonal_fit(cosines: Tensor, values: Tensor, degree: int) -> Tensor:
    """Zonal coefficients of samples by least squares.

    Args:
        cosines: cosine of the angle to the axis, dimensionless, ``(N,)``.
        values: samples, ``(N,)``.
        degree: largest even degree L.

    Returns:
        Coefficients of degrees 0, 2, ..., L, in the samples' unit, ``(L/2 + 1,)``.
    """
    solution: Tensor = torch.linalg.lstsq(_zonal_basis(cosines, degree).to(values), values[:, None]).solution
    return solution[:, 0]


def tensor_response(bvalue: float, axial: float, radial: float, degree: int, s0: float = 1.0) -> Tensor:
    r"""Response of an axially symmetric diffusion tensor.

    .. math:: S(\theta) = S_0 \exp(-b (D_\perp + (D_\parallel - D_\perp) \cos^2\theta))

    Args:
        bvalue: b in s/mm^2.
        axial, radial: diffusivities along and across the fiber in mm^2/s.
        degree: largest even degree L.
        s0: signal at b = 0.

    Returns:
        Zonal coefficients of degrees 0, 2, ..., L, in the unit of ``s0``, ``(L/2 + 1,)``, float64, by Gauss-Legendre
        quadrature.
    """
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(64))
    signal = s0 * torch.exp(-bvalue * (radial + (axial - radial) * nodes**2))
    return 2 * math.pi * _zonal_basis(nodes, degree).T @ (weights * signal)


def _zonal_basis(cosines: Tensor, degree: int) -> Tensor:
    """Y_l0 for l = 0, 2, ..., L, ``(N, L/2 + 1)``."""
    cosines = cosines.double()
    directions = torch.stack([(1 - cosines**2).clamp_min(0).sqrt(), torch.zeros_like(cosines), cosines], -1)
    order = torch.arange(0, degree + 1, 2)
    return real_harmonics(directions, degree, even=True)[:, order * (order + 1) // 2]
