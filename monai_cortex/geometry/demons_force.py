"""Forces between two images that their difference and its slope make: a first guess of the displacement."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv3d, pad

__all__ = ["demons_forces"]

_FLAT = 1e-3  # of the denominator, squared intensities per squared voxel
_REACH = 3.0  # standard deviations after which a Gaussian is cut


def demons_forces(fixed: Tensor, moving: Tensor, scales: Sequence[float] = (0.5, 1.5, 3.0)) -> Tensor:
    r"""Thirion's force :math:`(f - m)\,g / (|g|^2 + (f - m)^2)` of smoothed images, smoothed as they are.

    The slope g is the mean of both images' slopes, so that exchanging the images turns the forces around. Where the
    images differ by a small shift along a slope, ``moving(x + force) = fixed(x)`` to first order.

    Args:
        fixed, moving: intensities of order 1, ``(B, 1, I, J, K)``.
        scales: standard deviations of the smoothing in voxels.

    Returns:
        Voxels, each scale's components along i, j, k in turn, ``(B, 3 S, I, J, K)``; at most half a voxel at a scale's
        every voxel, since the denominator is at least twice the numerator.

    Reference:
        Thirion, Med. Image Anal. 2(3):243-260, 1998; both slopes: Wang et al., Phys. Med. Biol. 50:2887-2905, 2005.
    """
    return torch.cat([_force(_smooth(fixed, scale), _smooth(moving, scale), scale) for scale in scales], 1)


def _force(fixed: Tensor, moving: Tensor, scale: float) -> Tensor:
    slope = torch.cat([_slope((fixed + moving) / 2, axis) for axis in (2, 3, 4)], 1)
    difference = fixed - moving
    steep = slope.square().sum(1, keepdim=True) + difference.square() + _FLAT
    return _smooth(difference * slope / steep, scale)


def _slope(image: Tensor, axis: int) -> Tensor:
    return torch.gradient(image, dim=axis)[0] if image.shape[axis] > 1 else torch.zeros_like(image)


def _smooth(image: Tensor, scale: float) -> Tensor:
    """Gaussian along each axis, images going on constantly outside."""
    radius = max(1, round(_REACH * scale))
    places = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    weights = torch.exp(-0.5 * (places / scale) ** 2)
    weights = weights / weights.sum()
    flat = image.flatten(0, 1)[:, None]
    for axis in range(3):
        shape, widths = [1, 1, 1, 1, 1], [0] * 6
        shape[2 + axis] = len(weights)
        widths[4 - 2 * axis] = widths[5 - 2 * axis] = radius
        flat = conv3d(pad(flat, widths, mode="replicate"), weights.view(shape))
    return flat.view(image.shape)
