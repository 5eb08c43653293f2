"""What the labels of two phases say of a heart's work. A check of consistency, not a diagnosis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import binary_erosion
from torch import Tensor

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.displacement import jacobian_determinant
from monai_cortex.geometry.volume_sampling import require_affine

__all__ = ["CardiacFunction", "cardiac_function", "myocardial_jacobian"]

_RIGHT, _WALL, _LEFT = 1, 2, 3


class CardiacFunction(NamedTuple):
    """Volumes at end-diastole and end-systole.

    Attributes:
        lv_diastole, lv_systole: cavity of the left ventricle, ml.
        rv_diastole, rv_systole: cavity of the right ventricle, ml.
        wall_diastole, wall_systole: myocardium, ml.
        lv_ejection, rv_ejection: fraction of the cavity's volume that is ejected, percent; NaN without a cavity.
        wall_change: of the myocardium's volume from end-diastole to end-systole, percent; muscle keeps its volume
            nearly, labels often do not. NaN without myocardium.
    """

    lv_diastole: float
    lv_systole: float
    rv_diastole: float
    rv_systole: float
    wall_diastole: float
    wall_systole: float
    lv_ejection: float
    rv_ejection: float
    wall_change: float


def cardiac_function(diastole: Tensor, systole: Tensor, affine: ArrayLike | Tensor) -> CardiacFunction:
    """Volumes and ejection fractions from labels.

    Args:
        diastole, systole: 1 cavity of the right ventricle, 2 myocardium, 3 cavity of the left one, ``(I, J, K)`` or
            ``(1, I, J, K)``; on one grid, or on two with the same voxel size.
        affine: voxel indices to mm, ``(4, 4)``.

    Returns:
        Volumes in ml, fractions and changes in percent.

    Raises:
        GeometryError: the affine does not place the grid in space.
    """
    voxel = abs(float(np.linalg.det(require_affine(affine)[:3, :3]))) / 1000

    def volume(labels: Tensor, structure: int) -> float:
        return voxel * int((torch.as_tensor(labels) == structure).sum())

    volumes = [volume(labels, part) for part in (_LEFT, _RIGHT, _WALL) for labels in (diastole, systole)]
    left, right, wall = (_change(*volumes[place : place + 2]) for place in (0, 2, 4))
    return CardiacFunction._make([*volumes, -left, -right, wall])


def myocardial_jacobian(ddf: Tensor, labels: Tensor) -> float:
    """Median of the local volume change over the inner myocardium, dimensionless, about 1 for a true motion.

    Args:
        ddf: voxels, ``(3, I, J, K)``.
        labels: of the fixed image, 2 in the myocardium, ``(I, J, K)`` or ``(1, I, J, K)``. Its voxels with a face at
            another label do not count: there the field may change.

    Returns:
        A scalar; NaN where no voxel is left.

    Raises:
        ConfigError: labels and field differ in shape.
    """
    determinant = jacobian_determinant(torch.as_tensor(ddf).detach().as_subclass(Tensor)[None])[0, 0].cpu()
    wall = (torch.as_tensor(labels).as_subclass(Tensor) == _WALL).cpu()
    if wall.shape not in (determinant.shape, (1, *determinant.shape)):
        raise ConfigError(
            "labels and displacements must lie on one grid",
            found=f"{tuple(wall.shape)} and {tuple(determinant.shape)}",
            expected="twice (I, J, K)",
        )
    inner = torch.from_numpy(binary_erosion(wall.reshape(determinant.shape).numpy()))
    return float(determinant[inner].double().quantile(0.5)) if inner.any() else float("nan")


def _change(before: float, after: float) -> float:
    return 100 * (after - before) / before if before else float("nan")
