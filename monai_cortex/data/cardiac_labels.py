"""Labels of the heart in the order of ACDC, whatever numbers their file uses."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import ConfigError

from .named_file import NamedFile
from .nifti import read_volume
from .same_grid import require_same_grid
from .voxels import Volume

__all__ = ["CARDIAC_LABELS", "read_cardiac_labels", "require_label_names"]

CARDIAC_LABELS = {"rv": 1, "myo": 2, "lv": 3}
_OTHERS = "M&Ms lv 1, myo 2, rv 3; MS-CMRSeg lv 500, myo 200, rv 600; UK Biobank lv 1, myo 2, rv 4"
_HIGHEST = 2**15 - 1
_FEW = 20  # faces, below which nothing is said about who lies within whom


def require_label_names(labels: Mapping[str, int] | None) -> None:
    """Refuse a table of labels that does not name each structure once.

    Args:
        labels: number in the files of "rv", "myo" and "lv"; None for other anatomy, whose numbers stay.

    Raises:
        ConfigError: a name is missing or unknown, a number is below 1 or used twice.
    """
    if labels is None:
        return
    numbers = list(labels.values())
    whole = all(isinstance(number, int) and number > 0 for number in numbers)
    if set(labels) != set(CARDIAC_LABELS) or not whole or len(set(numbers)) != len(numbers):
        raise ConfigError(
            "labels cannot be used",
            found=dict(labels),
            expected=f"three different numbers above 0, such as {CARDIAC_LABELS}",
            remedy=f"write the numbers that your files use: ACDC rv 1, myo 2, lv 3; {_OTHERS}",
        )


def read_cardiac_labels(
    path: str | os.PathLike[str],
    image: Volume,
    labels: Mapping[str, int] | None = CARDIAC_LABELS,
    subject: str = "",
    name: str = "image",
    prefer: str = "",
) -> NDArray[np.int16]:
    """Read the labels of an image.

    Args:
        path: of the labels.
        image: whose grid they must have.
        labels: number in the file of "rv", "myo" and "lv"; None takes any whole numbers from 0 on, as they are.
        subject: identifier for messages.
        name: of the image in messages.
        prefer: see :func:`monai_cortex.data.read_volume`.

    Returns:
        ``(I, J, K)``: 0 background, 1 cavity of the right ventricle, 2 myocardium, 3 cavity of the left one.

    Raises:
        InputFileError: the file is damaged, empty, or its numbers are others than said.
        GeometryError: it lies on another grid.
    """
    file = NamedFile(path, subject)
    volume = read_volume(path, ndim=3, subject=subject, constant=True, prefer=prefer)
    require_same_grid(volume, image, path, subject, ("labels", name))
    found = np.unique(volume.values)
    if not found.any():
        file.refuse("the labels are empty", "0 in every voxel", "a structure", "remove the file, or draw the labels")
    if (found != np.round(found)).any() or found[0] < 0 or found[-1] > _HIGHEST:
        file.refuse(
            "labels are not whole numbers from 0 on",
            f"{len(found)} values from {found[0]:g} to {found[-1]:g}",
            "0 background, and a number for each structure",
            "resample labels by nearest neighbor only; or check whether the file is an image",
        )
    values = volume.values.astype(np.int16)
    return values if labels is None else _in_our_order(values, labels, file)


def _in_our_order(values: NDArray[np.int16], labels: Mapping[str, int], file: NamedFile) -> NDArray[np.int16]:
    require_label_names(labels)
    said = ", ".join(f"{number} {name}" for name, number in labels.items())
    remedy = f"set labels to the numbers of your data: ACDC rv 1, myo 2, lv 3; {_OTHERS}"
    unknown = sorted(set(np.unique(values).tolist()) - {0, *labels.values()})
    if unknown:
        file.refuse("unknown labels", ", ".join(map(str, unknown[:8])), f"0 background, {said}", remedy)
    result = np.zeros_like(values)
    for name, number in labels.items():
        result[values == number] = CARDIAC_LABELS[name]
    right, left = (_enclosed(result, CARDIAC_LABELS[name]) for name in ("rv", "lv"))
    if right > left:
        found = f"{right:.0%} of the border of rv touches myo, {left:.0%} of that of lv"
        file.refuse("right and left ventricle are exchanged", found, f"the myocardium around lv ({said})", remedy)
    return result


def _enclosed(values: NDArray[np.int16], structure: int) -> float:
    """Share of a structure's border, within slices, that touches the myocardium; NaN where there is little border."""
    border = touching = 0
    for axis in (0, 1):
        near, far = (np.take(values, range(first, values.shape[axis] - 1 + first), axis) for first in (0, 1))
        for inside, outside in ((near, far), (far, near)):
            edge = (inside == structure) & (outside != structure)
            border += int(edge.sum())
            touching += int((edge & (outside == CARDIAC_LABELS["myo"])).sum())
    return touching / border if border >= _FEW else float("nan")
