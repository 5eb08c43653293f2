r"""Deformations of the sphere: every point turns about its own axis, :math:`x \mapsto R(\omega(x))\,x`.

A field gives an axis times an angle in radian, in axes that are fixed in space: a constant field is a rotation of the
whole sphere, zero is the identity, and the flow of the negative field is the inverse.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from monai_cortex.geometry.barycentric import interpolate, locate, locator
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.squaring import square
from monai_cortex.geometry.triangle_walk import TriangleWalk

__all__ = ["compose", "exponential", "invert", "rotate", "rotation_matrix"]

_SMALL = 1e-4  # squared angle below which Taylor series replace sin(a)/a: the norm has no gradient at 0


def rotate(omega: Tensor, points: Tensor) -> Tensor:
    r"""Turn points about their axes by Rodrigues' formula, differentiable at angle 0 too.

    .. math:: x \cos a + \frac{\sin a}{a}\,\omega \times x + \frac{1 - \cos a}{a^2}\,\omega\,(\omega \cdot x)

    Args:
        omega: axis times angle a in radian, ``(..., 3)``.
        points: ``(..., 3)``.

    Returns:
        Points turned, ``(..., 3)``.
    """
    square = (omega * omega).sum(-1, keepdim=True)
    small = square < _SMALL
    angle = torch.where(small, 1.0, square).sqrt()
    sine = torch.where(small, 1 - square / 6 + square**2 / 120, angle.sin() / angle)
    versine = torch.where(small, 0.5 - square / 24 + square**2 / 720, (1 - angle.cos()) / angle**2)
    along = (omega * points).sum(-1, keepdim=True)
    turned: Tensor = (
        points * (1 - versine * square) + sine * torch.linalg.cross(omega, points) + versine * omega * along
    )
    return turned


def rotation_matrix(omega: Tensor) -> Tensor:
    """Matrix of the rotation by an axis times an angle in radian ``(3,)``, ``(3, 3)``."""
    return rotate(omega.expand(3, 3), torch.eye(3, dtype=omega.dtype, device=omega.device)).T


def exponential(omega: Tensor, mesh: Mesh, steps: int = 6, prepared: TriangleWalk | None = None) -> Tensor:
    r"""Flow along a stationary field for unit time, by scaling and squaring.

    Args:
        omega: axis times angle in radian at the vertices, ``(V, 3)``.
        mesh: unit sphere with V vertices.
        steps: number k of squarings; the field is divided by 2^k first.
        prepared: result of ``barycentric.locator`` for the mesh, where it is used again.

    Returns:
        Where the flow takes the vertices, unit vectors ``(V, 3)``, differentiable in the field.

    Raises:
        ValueError: if the field does not have one row a vertex or is not finite, or the number of steps is negative.

    Reference:
        Arsigny et al., MICCAI 2006; Yeo et al., IEEE Trans. Med. Imaging 29(3):650-668, 2010.
    """
    if omega.shape != mesh.vertices.shape:
        raise ValueError(f"need an axis for each of {len(mesh.vertices)} vertices, got shape {tuple(omega.shape)}.")
    if steps < 0 or not omega.isfinite().all():
        raise ValueError(
            f"need a finite field and at least 0 squarings, got {steps} and a field of shape {omega.shape}."
        )
    if prepared is None:
        prepared = locator(mesh)
    return square(rotate(omega / 2**steps, mesh.vertices.to(omega)), prepared, steps)


def compose(first: Tensor, second: Tensor, mesh: Mesh) -> Tensor:
    """Where vertices go that are moved by ``second``, then by ``first``.

    Args:
        first, second: where two maps take the vertices, unit vectors ``(V, 3)``.
        mesh: unit sphere with V vertices.

    Returns:
        Unit vectors ``(V, 3)``.
    """
    location = locate(second, Mesh(mesh.vertices.to(second), mesh.faces))
    return normalize(interpolate(first.T, mesh, location).T, dim=-1)


def invert(moved: Tensor, mesh: Mesh, points: Tensor | None = None) -> Tensor:
    """Where points come from: the inverse, exact for the map that is linear on each triangle.

    Args:
        moved: where the map takes the vertices, without folds, unit vectors ``(V, 3)``.
        mesh: unit sphere with V vertices.
        points: ``(Q, 3)``; by default the vertices.

    Returns:
        Unit vectors ``(Q, 3)``.
    """
    points = mesh.vertices.to(moved) if points is None else points.to(moved)
    location = locate(points, Mesh(moved, mesh.faces))
    return normalize(interpolate(mesh.vertices.to(moved).T, mesh, location).T, dim=-1)
