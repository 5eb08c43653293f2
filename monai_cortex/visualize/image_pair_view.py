"""Which slices of a pair of images a picture shows, how much of them, and what their edges are called."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monai_cortex.visualize.orientation import Orientation

__all__ = ["PairView", "edge_letters", "pair_views"]

_THICK = 1.5  # edge of a voxel by the next shorter one, from which on slices are cut along that axis only
_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
_OBLIQUE = 0.4  # share of a direction that is named
_MARGIN = 12.0  # mm around what is shown
_PLANES = ("sagittal", "coronal", "axial")
_PLACES = (0.2, 0.5, 0.8)  # of the way through what is shown


class PairView(NamedTuple):
    """One slice of a volume that was turned to right, anterior, superior.

    Attributes:
        name: of the slice, for the picture.
        axis: across which it lies, 0 to 2.
        number: of the slice along that axis, from 0.
        box: what is shown, one slice an axis.
    """

    name: str
    axis: int
    number: int
    box: tuple[slice, slice, slice]

    def cut(self, volume: ArrayLike) -> NDArray[np.float64]:
        """The part of a volume ``(R, A, S)`` that is shown, ``(W, H)``."""
        part = np.take(np.asarray(volume), self.number, self.axis)
        inside = [extent for axis, extent in enumerate(self.box) if axis != self.axis]
        return np.asarray(part[tuple(inside)], np.float64)

    @property
    def plane(self) -> tuple[int, int]:
        """The axes to the right and upwards."""
        across, along = (axis for axis in range(3) if axis != self.axis)
        return across, along


def pair_views(content: NDArray[np.bool_], orientation: Orientation, heart: ArrayLike | None = None) -> list[PairView]:
    """Three slices across the long edge of the voxels, or one across each axis where all edges are alike.

    Args:
        content: voxels worth seeing, turned to right, anterior, superior, ``(R, A, S)``.
        orientation: of the volume before it was turned.
        heart: labels of a heart, above 0 inside, of the same shape; the slice on the side of its larger end is called
            base. None for other anatomy.

    Returns:
        Three views of one box, which holds the content and a margin, or everything where there is no content.
    """
    box = _box(content, orientation.spacing)
    longest, next_longest = np.argsort(orientation.spacing)[[2, 1]]
    if orientation.spacing[longest] < _THICK * orientation.spacing[next_longest]:
        return [_across(content, axis, box) for axis in (2, 1, 0)]
    axis = int(longest)
    area = (content if heart is None else np.asarray(heart) > 0).sum(tuple(a for a in range(3) if a != axis))
    filled = np.flatnonzero(area)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, len(area) - 1)
    indices = [first + round(place * (last - first)) for place in _PLACES]
    names = [""] * 3
    if heart is not None and len(filled):
        names = ["apex", "mid", "base"]
        if area[indices[0]] > area[indices[2]]:
            names = names[::-1]
    views = [
        PairView(f"{name}\nslice {index + 1} of {len(area)}".strip(), axis, index, box)
        for name, index in zip(names, indices, strict=True)
    ]
    return views if names[0] != "apex" else views[::-1]


def edge_letters(view: PairView, orientation: Orientation) -> tuple[str, str, str, str]:
    """Names of the left, right, lower and upper edge of a view, such as R, or RA where the volume is oblique."""
    names = []
    for axis in view.plane:
        direction = orientation.frame[axis]
        names += [_direction(-direction), _direction(direction)]
    return names[0], names[1], names[2], names[3]


def _direction(vector: NDArray[np.float64]) -> str:
    order = np.argsort(-np.abs(vector))
    parts = [_LETTERS[axis][int(vector[axis] < 0)] for axis in order if abs(vector[axis]) >= _OBLIQUE]
    return "".join(parts[:2])


def _across(content: NDArray[np.bool_], axis: int, box: tuple[slice, slice, slice]) -> PairView:
    """The slice in the middle of the content, beside the plane between both halves of a brain."""
    middle, extent = (box[axis].start + box[axis].stop - 1) / 2, box[axis].stop - box[axis].start
    index = int(middle + (0.12 * extent if axis == 0 else 0))
    return PairView(f"{_PLANES[axis]}\nslice {index + 1} of {content.shape[axis]}", axis, index, box)


def _box(content: NDArray[np.bool_], spacing: NDArray[np.float64]) -> tuple[slice, slice, slice]:
    places = np.argwhere(content)
    if not len(places):
        places = np.array([[0, 0, 0], np.array(content.shape) - 1])
    margin = np.ceil(_MARGIN / spacing).astype(int)
    low = np.maximum(places.min(0) - margin, 0)
    high = np.minimum(places.max(0) + margin + 1, content.shape)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third
