r"""Paths between two codes of a shape model: along the chord, and around the origin.

Whitened codes of people lie near a sphere of radius :math:`\sqrt{K}`; the chord between two of them passes through its
inside, where people are more average than anybody is.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lerp", "slerp"]

_PARALLEL = 1e-4  # radian


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Straight path.

    Args:
        a, b: codes, ``(..., K)``.
        t: place on the path in [0, 1]; a tensor ``(...)`` gives several.

    Returns:
        Codes ``(..., K)``: a at 0, b at 1.

    Raises:
        ValueError: if t lies outside, or the codes are of different length.
    """
    place = _place(a, b, t)
    return (1 - place) * a + place * b


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    r"""Path around the origin: the direction turns evenly, the norm changes linearly.

    .. math::

        z(t) = [(1 - t) |a| + t |b|] \, \frac{\sin((1 - t) \Omega) \, \hat a + \sin(t \Omega) \, \hat b}{\sin \Omega}

    with the angle :math:`\Omega` between the codes; where it is below 1e-4 radian, :func:`lerp`.

    Args:
        a, b: whitened codes, the mean removed, ``(..., K)``.
        t: place on the path in [0, 1]; a tensor ``(...)`` gives several.

    Returns:
        Codes ``(..., K)``: a at 0, b at 1.

    Raises:
        ValueError: if t lies outside, the codes are of different length, a code is zero or they are antipodal: no
            direction, or no way between two directions, is distinguished then.

    Reference:
        Shoemake, Animating Rotation with Quaternion Curves, SIGGRAPH 1985.
    """
    place = _place(a, b, t)
    norms = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    if any((norm == 0).any() for norm in norms):
        raise ValueError("a code is zero, the mean shape: it has no direction to turn from; use lerp.")
    start, end = a / norms[0], b / norms[1]
    # The arc cosine of the product would lose half of the digits of a small angle.
    angle = 2 * torch.atan2((start - end).norm(dim=-1, keepdim=True), (start + end).norm(dim=-1, keepdim=True))
    if (torch.pi - angle < _PARALLEL).any():
        raise ValueError("the codes are antipodal: no way around the origin is shorter than the others; use lerp.")
    turned = torch.sin((1 - place) * angle) * start + torch.sin(place * angle) * end
    curved = ((1 - place) * norms[0] + place * norms[1]) * turned / torch.sin(angle.clamp(min=_PARALLEL))
    return torch.where(angle < _PARALLEL, lerp(a, b, t), curved)


def _place(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    place = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    if a.shape[-1:] != b.shape[-1:]:
        raise ValueError(f"codes of one model are equally long, got {a.shape[-1]} and {b.shape[-1]}.")
    if not ((place >= 0) & (place <= 1)).all():
        raise ValueError(f"a place on the path lies in [0, 1], got {t}.")
    return place[..., None]
