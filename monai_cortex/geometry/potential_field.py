r"""Rotation fields from two scalar functions on the sphere, which turn with the functions when these are turned.

Components of a field in fixed axes mix when the sphere is turned; scalar functions f and g only move along. The field

.. math:: \omega = x \times \nabla f + \nabla g

moves points with the velocity :math:`\omega \times x = \nabla f - x \times \nabla g`: gradients of f stretch, those of
g shear and turn, and degree 1 of g alone turns the whole sphere. Every tangent field on the sphere is of this form
(Helmholtz and Hodge).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import harmonic_gradients, real_harmonics
from monai_cortex.geometry.quadrature import product_quadrature

__all__ = ["potential_matrix"]


@cache
def potential_matrix(degree: int) -> Tensor:
    """Coefficients of the fields of single harmonics as potentials, exact.

    The curl of a harmonic of degree l has components of degree l, its gradient of degrees l - 1 and l + 1: one degree
    more than the potentials have holds the field.

    Args:
        degree: largest degree L of the potentials, 0 or more.

    Returns:
        ``(2, (L + 1)^2, 3, (L + 2)^2)``, float64: for f and g, each harmonic, and each component, the field's
        coefficients.

    Raises:
        ValueError: if the degree is negative.
    """
    points, weights = product_quadrature(2 * degree + 2)
    gradients = harmonic_gradients(points, degree)
    curls = torch.linalg.cross(points[:, None].expand_as(gradients), gradients)
    analysis = real_harmonics(points, degree + 1) * weights[:, None]
    return torch.einsum("qm,pqnc->pncm", analysis, torch.stack([curls, gradients]))
