"""Points and weights that integrate polynomials over the sphere exactly."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["product_quadrature"]


def product_quadrature(degree: int) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre points in height times evenly spaced meridians.

    Args:
        degree: up to which polynomials, and products of harmonics, are integrated exactly; 0 or more.

    Returns:
        Unit vectors ``(Q, 3)``, none of them a pole, and weights ``(Q,)`` that sum to 4 pi; float64.

    Raises:
        ValueError: if the degree is negative.

    Reference:
        Atkinson and Han, Spherical Harmonics and Approximations on the Unit Sphere, 2012, section 5.2.
    """
    if degree < 0:
        raise ValueError(f"degree must be 0 or more, got {degree}.")
    height, share = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angle = torch.arange(degree + 1, dtype=torch.float64) * (2 * math.pi / (degree + 1))
    z = torch.from_numpy(height)[:, None].expand(-1, len(angle))
    radius = (1 - z.square()).sqrt()
    points = torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1)
    weights = torch.from_numpy(share)[:, None].expand_as(z) * (2 * math.pi / len(angle))
    return points.reshape(-1, 3), weights.flatten()
