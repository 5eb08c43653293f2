"""What an item of the cardiac subjects names: two images on one grid, their labels, and the true motion if known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import GeometryError, InputFileError

from .acdc_layout import read_phases
from .cardiac_labels import CARDIAC_LABELS, read_cardiac_labels
from .displacement_file import Displacement, read_displacement
from .nifti import read_volume
from .same_grid import require_same_grid
from .voxels import Volume

__all__ = ["CardiacPair", "read_cardiac_pair"]

_IMAGES = ("fixed", "moving")
_MOTION = ("true_warp", "true_inverse_warp")
_LEAST = 2


class CardiacPair(NamedTuple):
    """Two images of one heart, checked.

    Attributes:
        fixed, moving: on one grid ``(I, J, K)``, in the scanner's unit.
        fixed_label, moving_label: 0 background, 1 cavity of the right ventricle, 2 myocardium, 3 cavity of the left
            one, ``(I, J, K)``; None where there are none.
        subject: identifier.
        true_warp: pull-back from the fixed to the moving image, on any grid; None where the motion is not known.
        true_inverse_warp: from the moving to the fixed one.
    """

    fixed: Volume
    moving: Volume
    fixed_label: NDArray[np.int16] | None
    moving_label: NDArray[np.int16] | None
    subject: str
    true_warp: Displacement | None = None
    true_inverse_warp: Displacement | None = None


def read_cardiac_pair(item: Mapping[str, Any]) -> CardiacPair:
    """Read and check the files of one item of :func:`cardiac_subjects`.

    Headers of ACDC hold the voxel size in the qform only, their sform does not know it: the qform is taken.

    Args:
        item: paths, subject and labels.

    Raises:
        InputFileError: a file is missing or damaged, an image is 4-D, constant, of a single slice or holds NaN, labels
            are others than said, or ``Info.cfg`` names no frames.
        GeometryError: the files lie on different grids, or a voxel size is missing.
        ResourceError: an image does not fit into memory.
    """
    subject = str(item.get("subject", ""))
    if "info" in item and "fixed" not in item:
        read_phases(item["info"], subject)
    images = {name: _read_image(item, name, subject) for name in _IMAGES}
    require_same_grid(images["moving"], images["fixed"], item["moving"], subject, ("moving image", "fixed image"))
    labels = {name: _read_labels(item, name, images["fixed"], subject) for name in _IMAGES}
    motion = {name: read_displacement(item[name], subject) for name in _MOTION if name in item}
    return CardiacPair(images["fixed"], images["moving"], labels["fixed"], labels["moving"], subject, **motion)


def _prefer(item: Mapping[str, Any]) -> str:
    return "qform" if "info" in item else ""


def _read_image(item: Mapping[str, Any], name: str, subject: str) -> Volume:
    path = item[name]
    volume = read_volume(path, ndim=3, subject=subject, prefer=_prefer(item))
    if min(volume.values.shape) < _LEAST:
        raise InputFileError(
            "the image has a single slice",
            file=path,
            subject=subject,
            found=f"shape {volume.values.shape}",
            expected=f"at least {_LEAST} voxels along each axis: displacements are in three dimensions",
            remedy="give the whole stack of slices",
        )
    edges = np.linalg.norm(volume.affine[:3, :3], axis=0)
    if "info" in item and np.allclose(edges, 1):
        raise GeometryError(
            "the header does not know the voxel size",
            file=path,
            subject=subject,
            found="1 x 1 x 1 mm, as the sform of ACDC's files says whatever their voxels are",
            expected="the voxel size in the qform, such as 1.56 x 1.56 x 10 mm",
            remedy="take the files as they are distributed, or set the true affine",
        )
    return volume


def _read_labels(item: Mapping[str, Any], name: str, image: Volume, subject: str) -> NDArray[np.int16] | None:
    key = f"{name}_seg"
    if key not in item:
        return None
    numbers = item.get("labels", CARDIAC_LABELS)
    return read_cardiac_labels(item[key], image, numbers, subject, f"{name} image", _prefer(item))
