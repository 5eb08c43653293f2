"""Do two volumes lie on one grid? Where not, the refusal names what disagrees."""

from __future__ import annotations

import os

import numpy as np
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from monai_cortex.errors import GeometryError

from .affine import affine_gap
from .voxels import Volume

__all__ = ["require_same_grid"]

_GAP = 0.1  # largest distance of corners, in voxels
_EDGE = 0.01  # relative difference of voxel edges


def require_same_grid(
    volume: Volume,
    reference: Volume,
    path: str | os.PathLike[str],
    subject: str = "",
    names: tuple[str, str] = ("mask", "image"),
) -> None:
    """Refuse a volume whose first three axes are not those of another.

    Args:
        volume: read from ``path``.
        reference: whose grid it must have, within 0.1 voxels.
        path: for messages.
        subject: identifier for messages.
        names: what volume and reference are called in messages.

    Raises:
        GeometryError: shape, orientation, voxel size or position differ.
    """
    one, other = names
    shape = reference.values.shape[:3]
    if volume.values.shape[:3] != shape:
        raise GeometryError(
            f"{one} and {other} differ in shape",
            file=path,
            subject=subject,
            found=f"{one} {volume.values.shape}",
            expected=f"{shape}, the shape of the {other}",
            remedy=f"resample the {one} to the {other}",
        )
    gap = affine_gap(reference.affine, volume.affine, shape)
    if gap > _GAP:
        what, found, expected = _difference(volume.affine, reference.affine)
        raise GeometryError(
            f"{one} and {other} lie on different grids: {what}",
            file=path,
            subject=subject,
            found=f"corners up to {gap:.3g} voxels apart; {one} {found}",
            expected=f"the same affine within {_GAP} voxels; {other} {expected}",
            remedy=f"resample the {one} to the {other}, or correct the header that is wrong",
        )


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[str, str, str]:
    axes = ["".join(str(code) for code in aff2axcodes(affine)) for affine in (one, other)]
    if axes[0] != axes[1]:
        return "their orientations differ", axes[0], axes[1]
    edges = [np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other)]
    if np.abs(edges[0] / edges[1] - 1).max() > _EDGE:
        found, expected = (f"{edge.round(4).tolist()} mm" for edge in edges)
        return "their voxel sizes differ", found, expected
    found, expected = (f"voxel (0, 0, 0) at {affine[:3, 3].round(2).tolist()} mm" for affine in (one, other))
    return "they are shifted or turned against each other", found, expected
