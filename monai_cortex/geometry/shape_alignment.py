r"""Shapes in vertex correspondence without their poses: Procrustes alignment.

Of a shape with vertices :math:`x_i` and a reference with :math:`y_i`, both about their middles, the rotation R with the
least :math:`\sum_i |R x_i - y_i|^2` follows from the singular values of :math:`\sum_i x_i y_i^T`. The scale, where
sizes are aligned too, is :math:`s = \sum_i |y_i|^2 / \sum_i R x_i \cdot y_i`: shapes then differ from the reference
at right angles to it, and their mean keeps its size, which the scale of least squares would shrink.

Reference:
    Gower, Generalized Procrustes analysis, Psychometrika 40(1):33-51, 1975; Cootes et al., Active shape models, CVIU
    61(1):38-59, 1995, for the scale.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["align_shape", "align_shapes"]

_ROUNDS, _STILL = 100, 1e-12


def align_shape(shape: Tensor, reference: Tensor, *, scale: bool = False) -> Tensor:
    """Turn and shift shapes to where they are closest to a reference; never mirrored.

    Args:
        shape: ``(..., V, C)``; the first three of the C features are coordinates, in mm, others lengths, in mm.
        reference: ``(V, C)``.
        scale: change sizes too, and the other lengths with them.

    Returns:
        The shapes, ``(..., V, C)``, with the reference's middle.
    """
    middle = reference[:, :3].mean(0)
    points, lengths = shape[..., :3], shape[..., 3:]
    points = points - points.mean(-2, keepdim=True)
    turn, stretch = _fit(points, reference[:, :3] - middle)
    size = stretch if scale else torch.ones_like(stretch)
    return torch.cat([size * (points @ turn) + middle, size * lengths], -1)


def align_shapes(shapes: Tensor, *, scale: bool = False) -> Tensor:
    """Align shapes to their own mean, until it no longer changes.

    The result lies where the shapes lay on average: about the mean of their middles, in the mean of their poses, and
    with their mean size (root mean square distance from the middle). It does not depend on their order.

    Args:
        shapes: of S people, ``(S, V, C)``; see :func:`align_shape`.
        scale: change sizes too.

    Returns:
        ``(S, V, C)``; each is what :func:`align_shape` makes of it with their mean as the reference.
    """
    middles = shapes[..., :3].mean(-2, keepdim=True)
    centered = torch.cat([shapes[..., :3] - middles, shapes[..., 3:]], -1)
    size = _size(centered).mean()
    mean = centered[0]
    for _ in range(_ROUNDS):
        aligned = align_shape(centered, mean, scale=scale)
        before, mean = mean, aligned.mean(0)
        if (mean - before).abs().max() <= _STILL * size:
            break
    aligned = align_shape(centered, mean, scale=scale)
    if scale:
        aligned = aligned * (size / _size(aligned.mean(0)))
    # From where the first shape lay to where they lay on average: the rotation closest to all ways back.
    back, _ = _fit(aligned[..., :3].flatten(0, 1), centered[..., :3].flatten(0, 1))
    return torch.cat([aligned[..., :3] @ back + middles.mean(0), aligned[..., 3:]], -1)


def _fit(points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation ``(..., 3, 3)``, from the right, and scale ``(..., 1, 1)`` of points about the origin onto targets."""
    left, singular, right = torch.linalg.svd(points.mT @ targets)
    signs = torch.ones_like(singular)
    signs[..., -1] = torch.sign(torch.linalg.det(left @ right))
    scale = targets.square().sum((-2, -1)) / (singular * signs).sum(-1)
    return left @ (signs[..., None] * right), scale[..., None, None]


def _size(shape: Tensor) -> Tensor:
    """Root mean square distance of vertices ``(..., V, C)`` from the origin, ``(...)``."""
    size: Tensor = shape[..., :3].square().sum(-1).mean(-1).sqrt()
    return size
