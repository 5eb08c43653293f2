"""Whether gradient vectors lie along the axes of the image, judged by the fibers that they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.errors import GradientError
from monai_cortex.geometry.fiber_coherence import axis_orders, fiber_coherence
from monai_cortex.geometry.tensor_fit import fit_tensor, tensor_volumes

from .affine import rotation_of
from .gradients import GradientTable
from .shells import find_shells

__all__ = ["check_gradient_axes"]

_ANISOTROPIC = 0.3  # fractional anisotropy above which the main axis of a tensor is a fiber's
_LEAST = 200  # voxels with a fiber
_RANDOM = 0.5  # agreement of fibers without any order
_MARGIN = 0.01  # of coherence, by which another order has to be better


def check_gradient_axes(
    signal: NDArray[Any],
    affine: NDArray[np.float64],
    table: GradientTable,
    mask: NDArray[np.bool_],
    fibers: NDArray[Any] | None = None,
    **where: str,
) -> None:
    """Refuse gradients whose axes, flipped or swapped, would give fibers that fit together better.

    Fibers are main axes of tensors where these are anisotropic. Of the 24 orders of the axes the best is the one in
    which fibers continue from voxel to voxel or, where fibers are known, the one in which they lie along these. Too few
    fibers or directions to tell pass.

    Args:
        signal: ``(N, I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        table: gradients in world axes.
        mask: voxels to look at, ``(I, J, K)``.
        fibers: a known fiber in each voxel, world axes, zero where there is none, ``(I, J, K, 3)``.
        where: ``file`` and ``subject``, for the message.

    Raises:
        GradientError: naming the order that fits better and both coherences.
    """
    shell = torch.as_tensor(find_shells(table.bvalues).shell)
    bvalues, directions = (torch.as_tensor(values) for values in (table.bvalues, table.directions))
    low = tensor_volumes(bvalues, shell)
    try:
        tensor = fit_tensor(torch.as_tensor(signal[low.numpy()][:, mask].T), bvalues[low], directions[low])
    except ValueError:
        return
    clear = tensor.anisotropy > _ANISOTROPIC
    if clear.sum() < _LEAST:
        return
    fibrous = torch.as_tensor(mask.copy())
    fibrous[fibrous.clone()] = clear
    to_voxels = torch.as_tensor(rotation_of(affine))
    axes = torch.zeros(*mask.shape, 3, dtype=torch.float64)
    axes[fibrous] = tensor.axis[clear] @ to_voxels
    known = None if fibers is None else torch.as_tensor(fibers).double() @ to_voxels
    orders = axis_orders()
    found = torch.tensor([_fit(axes @ order.T, fibrous, known) for order in orders])
    best = int(found.argmax())
    if found[best] > max(float(found[0]) + _MARGIN, _RANDOM):
        raise GradientError(
            "the axes of the gradients look flipped or swapped",
            found=f"fibers fit at {found[0]:.3f}, with {_name(orders[best])} in place of x y z at {found[best]:.3f}",
            expected="the best fit without a change",
            remedy="look at the fibers, and change the vectors along the voxel axes like that",
            **where,
        )


def _fit(axes: Tensor, mask: Tensor, known: Tensor | None) -> float:
    if known is None:
        return fiber_coherence(axes, mask)
    there = mask & known.any(-1)
    cosine = (axes[there] * torch.nn.functional.normalize(known[there], dim=-1)).sum(-1).abs()
    return float(cosine.mean()) if len(cosine) else float("nan")


def _name(order: Tensor) -> str:
    """Such as "-x z y": what stands at the place of each axis."""
    rows = order.tolist()
    return " ".join(("-" if -1.0 in row else "") + "xyz"[[abs(v) for v in row].index(1.0)] for row in rows)
