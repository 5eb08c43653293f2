"""What only pairs with known motion or labels can be held to: displacement errors and overlap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from monai_cortex.data import batch_count
from monai_cortex.geometry.displacement import warp

__all__ = ["displacement_distance", "warped_overlap_loss"]

_AROUND = 7  # voxels, edge of the cube by which labels are widened where truth counts fully
_ELSEWHERE = 0.2  # weight of the truth away from labels
_SOFT = 0.1  # voxels, below which errors count by their square
_NOTHING = 1.0  # voxels, added to numerator and denominator of an overlap


def displacement_distance(ddf: Tensor, truth: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Mean distance from the true displacement, mostly in and around the labels.

    In voxels, since thick slices hardly determine the motion through the plane: in mm it would count most.

    Args:
        ddf, truth: voxels, ``(B, 3, I, J, K)``.
        label: 0 is background, ``(B, 1, I, J, K)``.
        valid: 0 or 1, of the same shape.

    Returns:
        Voxels, a scalar.
    """
    square = (ddf - truth).square().sum(1, keepdim=True)
    error = (square + _SOFT**2).sqrt() - _SOFT
    near = max_pool3d((label > 0).to(ddf), _AROUND, 1, _AROUND // 2)
    weight = valid * (_ELSEWHERE + (1 - _ELSEWHERE) * near)
    return (error * weight).sum() / batch_count(weight.sum())


def warped_overlap_loss(ddf: Tensor, moving: Tensor, fixed: Tensor, labels: Sequence[int] = (1, 2, 3)) -> Tensor:
    """One minus Dice's coefficient of labels that are warped linearly, the mean over labels and pairs.

    Args:
        ddf: voxels, ``(B, 3, I, J, K)``.
        moving, fixed: labels, ``(B, 1, I, J, K)``.
        labels: which to compare.

    Returns:
        In [0, 1], a scalar; a label that neither image has counts as 0.

    Reference:
        Balakrishnan et al., IEEE Trans. Med. Imaging 38(8):1788-1800, 2019 (auxiliary segmentations).
    """
    one, two = (torch.cat([(image == label).to(ddf) for label in labels], 1) for image in (moving, fixed))
    moved = warp(one, ddf)
    shared, both = (moved * two).flatten(2).sum(2), (moved + two).flatten(2).sum(2)
    return 1 - ((2 * shared + _NOTHING) / (both + _NOTHING)).mean()
