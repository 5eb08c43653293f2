r"""Rotations of functions on the sphere and of voxel grids: :math:`(g f)(x) = f(R^{-1} x)` throughout."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_cortex.geometry.harmonics import fit_matrix, real_harmonics
from monai_cortex.geometry.healpix import healpix_directions

__all__ = ["harmonic_rotation", "random_rotation", "rotate_grid", "sample_rotation"]


def random_rotation(generator: torch.Generator | None = None) -> Tensor:
    """Rotation matrix drawn uniformly from SO(3), ``(3, 3)``, float64.

    Args:
        generator: source of the random numbers; None is torch's own.

    Reference:
        Shoemake, Graphics Gems III, 1992: a normal vector in four dimensions is a uniform quaternion.
    """
    quaternion = torch.randn(4, generator=generator, dtype=torch.float64)
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


def harmonic_rotation(rotation: Tensor, degree: int) -> Tensor:
    """Matrix that turns the even harmonics' coefficients of a function into those of the rotated function.

    Rotations keep degrees apart, so a fit to enough samples is exact and the matrix is orthogonal.

    Args:
        rotation: matrix ``(3, 3)``.
        degree: largest even degree L.

    Returns:
        Matrix ``(n, n)``, n = (L + 1)(L + 2)/2, float64.
    """
    directions = healpix_directions(2 ** math.ceil(math.log2(max(degree, 1))))
    values = real_harmonics(directions @ rotation.double(), degree, even=True)
    return fit_matrix(directions, degree, regularization=0) @ values


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
