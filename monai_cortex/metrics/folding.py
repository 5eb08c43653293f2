"""Whether a displacement field folds space, and how unevenly it changes volumes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import look_up_option
from scipy.ndimage import binary_dilation
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.displacement import jacobian_determinant

__all__ = ["Folding", "FoldingMetric", "folding", "folding_by_region", "heart_mask"]

_AXES = 3


class Folding(NamedTuple):
    """Local volume change J, the determinant of I + du/dx, over some voxels.

    Attributes:
        percent: of voxels where J is 0 or less, a scalar.
        deviation: standard deviation of J, dimensionless, a scalar.
        log_deviation: standard deviation of log J where J is above 0, dimensionless, a scalar.
    """

    percent: Tensor
    deviation: Tensor
    log_deviation: Tensor


def folding(ddf: Tensor, mask: Tensor | None = None) -> Folding:
    """Folding of one field.

    Differences are central, at the borders one-sided, in voxels; J does not depend on the spacing. Elsewhere forward
    differences and J below 0 are counted: numbers compare only within one convention. Deviations divide by the number
    of voxels.

    Args:
        ddf: voxels, pull-back, ``(3, I, J, K)``.
        mask: voxels to count, true or above 0, ``(I, J, K)`` or ``(1, I, J, K)``; None are all.

    Returns:
        Three scalars, NaN where no voxel is counted.

    Raises:
        GeometryError: not a field.
        ConfigError: the mask is on another grid.
    """
    return _summary(jacobian_determinant(_plain(ddf)[None])[0, 0], mask)


def folding_by_region(ddf: Tensor, valid: Tensor | None = None, labels: Tensor | None = None) -> dict[str, Folding]:
    """Folding over the whole grid, and where they are known over the valid voxels and the heart.

    Args:
        ddf: voxels, ``(3, I, J, K)``.
        valid: voxels that were imaged, 0 on padding, ``(1, I, J, K)``.
        labels: of the heart, above 0 inside, ``(1, I, J, K)``; they are dilated, see :func:`heart_mask`.

    Returns:
        Of "grid", "valid" and "heart".
    """
    determinant = jacobian_determinant(_plain(ddf)[None])[0, 0]
    masks = {"valid": valid, "heart": None if labels is None else heart_mask(labels)}
    regions = {name: _summary(determinant, mask) for name, mask in masks.items() if mask is not None}
    return {"grid": _summary(determinant, None), **regions}


def heart_mask(labels: Tensor, voxels: int = 3) -> Tensor:
    """Voxels with a label above 0, and those that some steps over the faces of voxels lead to.

    Args:
        labels: ``(I, J, K)`` or ``(1, I, J, K)``.
        voxels: number of steps.

    Returns:
        bool, of the labels' shape.
    """
    inside = _plain(labels) > 0
    volume = inside.cpu().reshape(inside.shape[-_AXES:]).numpy()
    grown = binary_dilation(volume, iterations=voxels) if voxels else volume
    return torch.from_numpy(grown).reshape(inside.shape).to(inside.device)


class FoldingMetric(CumulativeIterationMetric):
    """Mean of :func:`folding` over fields.

    Args:
        name: "percent", "deviation" or "log_deviation" makes the mean that one scalar; None gives all three.

    Shape:
        fields ``(B, 3, I, J, K)`` and, if only some voxels count, masks ``(B, 1, I, J, K)`` as the target; or lists of
        them without B. A call returns the three numbers of each field, ``(B, 3)``.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = None if name is None else look_up_option(name, Folding._fields)

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_: Any) -> Tensor:
        masks = [None] * len(y_pred) if y is None else y
        return torch.stack([torch.stack(folding(*pair)) for pair in zip(y_pred, masks, strict=True)])

    def aggregate(self) -> Folding | Tensor:
        """Means over the fields so far; those without a counted voxel are left out."""
        means = Folding(*self.get_buffer().nanmean(0))
        return means if self.name is None else getattr(means, self.name)


def _plain(values: Tensor) -> Tensor:
    return torch.as_tensor(values).detach().as_subclass(Tensor)


def _summary(determinant: Tensor, mask: Tensor | None) -> Folding:
    values = determinant.flatten()
    if mask is not None:
        inside = _plain(mask)
        if inside.shape not in (determinant.shape, (1, *determinant.shape)):
            raise ConfigError(
                "mask and displacements must lie on one grid",
                found=f"{tuple(inside.shape)} and {tuple(determinant.shape)}",
                expected="twice (I, J, K)",
            )
        values = values[(inside > 0).flatten().to(values.device)]
    if not len(values):
        return Folding(*values.new_full((3,), torch.nan))
    logs = values[values > 0].log()
    deviation = values.std(correction=0)
    log_deviation = logs.std(correction=0) if len(logs) else values.new_tensor(torch.nan)
    return Folding(100 * (values <= 0).to(values).mean(), deviation, log_deviation)
