r"""Rotations of functions on the sphere and of voxel grids: :math:`(g f)(x) = f(R^{-1} x)` throughout."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from monai_cortex.geometry.harmonics import fit_matrix, real_harmonics
from monai_cortex.geometry.quadrature import product_quadrature

__all__ = ["harmonic_rotation", "random_rotation", "rotate_grid", "sample_rotation"]


def random_rotation(generator: torch.Generator | None = None, max_angle: float = math.pi) -> Tensor:
    """Rotation matrix drawn uniformly from SO(3), or from its rotations by at most an angle, ``(3, 3)``, float64.

    Args:
        generator: source of the random numbers; None is torch's own.
        max_angle: in radian, above 0; pi allows all rotations.

    Raises:
        ValueError: if the angle is not above 0 and at most pi.

    Reference:
        Shoemake, Graphics Gems III, 1992: a normal vector in four dimensions is a uniform quaternion.
    """
    if not 0 < max_angle <= math.pi:
        raise ValueError(f"rotations turn by more than 0 and at most pi radian, got max_angle={max_angle}.")
    quaternion = torch.randn(4, generator=generator, dtype=torch.float64)
    if max_angle < math.pi:
        quaternion = _turn_less(quaternion, max_angle)
    w, x, y, z = (quaternion / quaternion.norm()).tolist()
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.tensor(rows, dtype=torch.float64)


def sample_rotation(rotation: Tensor, directions: Tensor, degree: int) -> Tensor:
    """Matrix that turns samples of a function into samples of the rotated function, exact up to a degree.

    The even harmonics are fitted to the samples and evaluated where the rotation takes the samples from.

    Args:
        rotation: matrix ``(3, 3)``.
        directions: unit vectors ``(V, 3)``, of the sphere or of a hemisphere.
        degree: largest even degree of the function.

    Returns:
        Matrix ``(V, V)``, float64.

    Raises:
        ValueError: if there are fewer directions than coefficients.
    """
    directions = directions.double()
    values = real_harmonics(directions @ rotation.double(), degree, even=True)
    return values @ fit_matrix(directions, degree, regularization=0)


def harmonic_rotation(rotation: Tensor, degree: int, even: bool = True) -> Tensor:
    """Matrix that turns the harmonics' coefficients of a function into those of the rotated function.

    Rotations keep degrees apart, so that the matrix is orthogonal.

    Args:
        rotation: matrix ``(3, 3)``.
        degree: largest degree L.
        even: whether only even degrees are there; L must then be even.

    Returns:
        Matrix ``(n, n)``, n = (L + 1)(L + 2)/2 for even degrees, else (L + 1)^2, float64.

    Raises:
        ValueError: for a negative degree, or an odd one when only even degrees are there.
    """
    points, weights = product_quadrature(2 * degree)
    turned = real_harmonics(points @ rotation.double(), degree, even)
    return (real_harmonics(points, degree, even) * weights[:, None]).T @ turned


def rotate_grid(volume: Tensor, rotation: Tensor) -> Tensor:
    """Turn a voxel grid about its center by a symmetry of the cube.

    Args:
        volume: values ``(..., I, J, K)``.
        rotation: one of the 48 signed permutation matrices ``(3, 3)``.

    Returns:
        The volume turned, its axes permuted and flipped, ``(..., I', J', K')``.

    Raises:
        ValueError: if the matrix does not map the voxel grid onto itself.
    """
    axes = rotation.abs().argmax(1)
    signs = rotation.gather(1, axes[:, None])[:, 0]
    exact = torch.zeros_like(rotation).scatter_(1, axes[:, None], signs.sign()[:, None])
    if len(set(axes.tolist())) < len(axes) or not torch.allclose(rotation, exact, rtol=0, atol=1e-6):
        raise ValueError(f"voxels map onto voxels by signed permutations only, got {rotation.tolist()}.")
    moved = volume.permute(*range(volume.ndim - 3), *(axes - 3 + volume.ndim).tolist())
    return moved.flip([axis - 3 for axis in range(3) if signs[axis] < 0])


def _turn_less(quaternion: Tensor, max_angle: float) -> Tensor:
    """Keep the axis of a uniform rotation, and carry its angle over to the uniform distribution up to ``max_angle``.

    The angle a of a uniform rotation is at most b with probability (b - sin b) / pi.
    """
    real, axis = quaternion[:1], quaternion[1:]
    angle = 2 * math.atan2(float(axis.norm()), abs(float(real)))
    share = (angle - math.sin(angle)) / math.pi * (max_angle - math.sin(max_angle))
    smaller = brentq(lambda a: a - math.sin(a) - share, 0.0, max_angle, xtol=1e-15) / 2
    along = torch.nn.functional.normalize(axis * real.sign(), dim=0)
    return torch.cat([real.new_tensor([math.cos(smaller)]), along * math.sin(smaller)])
