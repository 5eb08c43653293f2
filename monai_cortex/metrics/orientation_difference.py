"""Angle between the main orientations of two methods."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["orientation_difference"]


def orientation_difference(peaks: Tensor, reference: Tensor, where: Tensor) -> Tensor:
    """Angle between first peaks, antipodes being equal.

    Args:
        peaks, reference: peaks ``(3 * number, I, J, K)``, the highest first, of any length, NaN or zero for none.
        where: voxels to compare ``(I, J, K)``, bool.

    Returns:
        Angles in degree, 0 to 90, ``(P,)``; 90 where only one of both has a peak, voxels without any left out.
    """
    first, second = (torch.nan_to_num(p[:3, where].double()) for p in (peaks, reference))
    present = torch.stack([first.norm(dim=0) > 0, second.norm(dim=0) > 0])
    # atan2 of the cross product keeps its digits near 0, where acos loses half of them.
    cross = torch.linalg.cross(first, second, dim=0).norm(dim=0)
    angle = torch.rad2deg(torch.atan2(cross, (first * second).sum(0).abs()))
    return torch.where(present.all(0), angle, 90.0)[present.any(0)]
