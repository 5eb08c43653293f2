"""How much a displacement field changes from voxel to voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["displacement_smoothness"]


def displacement_smoothness(field: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    r"""Mean square of the forward differences, averaged over the axes.

    With a spacing s the difference of component i along axis j counts as the strain
    :math:`\partial_j u_i\, s_i / s_j`. On a ramp MONAI's ``DiffusionLoss``, whose differences are central, is three
    times as large: a weight of 20 here is one of 6.67 there.

    Args:
        field: voxels, ``(B, 3, I, J, K)``.
        spacing: edges of a voxel, ``(3,)``, in any unit; None counts in voxels.

    Returns:
        Scalar; an axis of one voxel counts as 0.

    Reference:
        Qin and Li, MICCAI 2023, Eq. 6; Balakrishnan et al., IEEE Trans. Med. Imaging 38(8):1788-1800, 2019.
    """
    edges = field.new_tensor([1.0, 1.0, 1.0] if spacing is None else list(spacing))
    scaled = field * edges[:, None, None, None]
    slopes = [scaled.diff(dim=axis) / edge for axis, edge in enumerate(edges, 2)]
    return torch.stack([slope.square().mean() if slope.numel() else field.sum() * 0 for slope in slopes]).mean()
