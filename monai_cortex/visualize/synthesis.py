"""Quality picture of one subject's generated image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.orientation import closest_orientation, to_ras
from monai_cortex.visualize.slices import inner_letters, scale_bar, show_slice

__all__ = ["SynthesisPicture", "synthesis_figure"]

_WHITE, _PIAL = "#f0e442", "#d55e00"  # told apart by the color-blind, and from gray
_VIEWS = (
    ("sagittal", 0, ("P", "A", "I", "S")),
    ("coronal", 1, ("L", "R", "I", "S")),
    ("axial", 2, ("L", "R", "P", "A")),
)
_DIFFERENCE = 0.4
_DEVIATION = 0.2
_RANGE = "share of the intensity range"
_WIDTH, _AROUND = 2.7, 1.6  # of a column, and above and below the slices, inch
_MARGIN = 3.0  # mm around the pial surface that is shown


@dataclass(frozen=True)
class SynthesisPicture:
    """What the picture shows; arrays ``(I, J, K)`` on one grid.

    Attributes:
        subject: identifier, for the title.
        image: generated, in [0, 1].
        white_distance, pial_distance: signed, mm.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        real: the subject's own image in [0, 1], or none.
        deviation: standard deviation over draws, or none.
        atrophied: images by dose in mm.
        metrics: numbers for the caption, by name with unit.
    """

    subject: str
    image: ArrayLike
    white_distance: ArrayLike
    pial_distance: ArrayLike
    affine: ArrayLike
    real: ArrayLike | None = None
    deviation: ArrayLike | None = None
    atrophied: Mapping[float, ArrayLike] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class _Column(NamedTuple):
    """One kind of picture, along all views."""

    title: str
    values: NDArray[np.float64]
    limits: tuple[float, float]
    cmap: str
    contours: bool = False


def synthesis_figure(picture: SynthesisPicture) -> Figure:
    """Draw three slices of: the real image, the generated one, their difference, the surfaces on top, and the rest.

    Args:
        picture: of one subject.

    Returns:
        Figure with a row for each view and a column for each kind of picture.
    """
    orientation = closest_orientation(picture.affine)

    def turned(values: ArrayLike) -> NDArray[np.float64]:
        return to_ras(np.asarray(values, np.float64), orientation)

    distances = turned(picture.white_distance), turned(picture.pial_distance)
    box = _box(distances[1])
    columns = _columns(picture, turned)
    extent = np.array(distances[1][box].shape) * orientation.spacing
    heights = [extent[up] / extent[across] for across, up in ((1, 2), (0, 2), (0, 1))]
    figure = new_figure(_WIDTH * len(columns), _WIDTH * sum(heights) + _AROUND)
    grid = figure.subplots(len(_VIEWS), len(columns), squeeze=False, height_ratios=heights)
    for row, (name, axis, letters) in zip(grid, _VIEWS, strict=True):
        index = _fullest(distances[0][box] < 0, axis)
        flat = np.delete(orientation.spacing, axis).tolist()
        for axes, column in zip(row, columns, strict=True):
            part = np.take(column.values[box], index, axis)
            axes.set_anchor("N")
            shown = show_slice(axes, part, (flat[0], flat[1]), column.limits, column.cmap)
            if column.contours:
                _contours(axes, [np.take(distance[box], index, axis) for distance in distances], flat)
            if axes in grid[0]:
                axes.set_title(column.title)
            if axes in grid[-1] and column.cmap != "gray":
                figure.colorbar(shown, ax=axes, orientation="horizontal", fraction=0.05, pad=0.06, label=_RANGE)
        row[0].set_ylabel(name)
        inner_letters(row[0], letters)
    scale_bar(grid[-1][0])
    figure.suptitle(f"{picture.subject}: T1-weighted image drawn from white and pial surfaces", weight="bold")
    if picture.metrics:
        figure.supxlabel(", ".join(f"{name} {value:.3g}" for name, value in picture.metrics.items()), size="small")
    return figure


def _columns(picture: SynthesisPicture, turn: Callable[[ArrayLike], NDArray[np.float64]]) -> list[_Column]:
    image = turn(picture.image)
    columns = [_Column("generated", image, (0, 1), "gray"), _Column("with its surfaces", image, (0, 1), "gray", True)]
    if picture.real is not None:
        real = turn(picture.real)
        columns.insert(0, _Column("real, with the surfaces", real, (0, 1), "gray", True))
        columns.append(_Column("generated \N{MINUS SIGN} real", image - real, (-_DIFFERENCE, _DIFFERENCE), "RdBu_r"))
    if picture.deviation is not None:
        columns.append(_Column("deviation of draws", turn(picture.deviation), (0, _DEVIATION), "viridis"))
    for dose, thinner in picture.atrophied.items():
        title = f"atrophy {dose:g} mm \N{MINUS SIGN} control"
        columns.append(_Column(title, turn(thinner) - image, (-_DIFFERENCE, _DIFFERENCE), "RdBu_r"))
    return columns


def _box(pial: NDArray[np.float64]) -> tuple[slice, ...]:
    near = np.argwhere(pial < _MARGIN)
    if not len(near):
        return (slice(None),) * 3
    return tuple(slice(int(low), int(high) + 1) for low, high in zip(near.min(0), near.max(0), strict=True))


def _fullest(inside: NDArray[np.bool_], axis: int) -> int:
    """Slice with most white matter; along left and right, that is within a hemisphere, not between both."""
    area = inside.sum(tuple(other for other in range(3) if other != axis))
    return int(area.argmax())


def _contours(axes: Axes, distances: list[NDArray[np.float64]], spacing: list[float]) -> None:
    for distance, color in zip(distances, (_WHITE, _PIAL), strict=True):
        if distance.min() < 0 < distance.max():
            across, along = (np.arange(size) * edge for size, edge in zip(distance.shape, spacing, strict=True))
            axes.contour(across, along, distance.T, levels=[0.0], colors=[color], linewidths=0.8)
