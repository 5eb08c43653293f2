"""Quality picture of a registered pair of images: before, after, and what the field does to space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from monai_cortex.visualize.image_pair_view import PairView, edge_letters, pair_views
from monai_cortex.visualize.orientation import Orientation, closest_orientation, to_ras
from monai_cortex.visualize.overlap_panel import overlap_panel
from monai_cortex.visualize.panel_lines import outline, warped_grid
from monai_cortex.visualize.panel_page import panel_page
from monai_cortex.visualize.slices import inner_letters, scale_bar, show_slice

__all__ = ["ImageRegistrationPicture", "image_registration_figure"]

# Okabe and Ito's colors, told apart by the color-blind, and from gray.
_HEART = {"LV cavity": ((3,), "#e69f00"), "epicardium": ((2, 3), "#009e73"), "RV cavity": ((1,), "#56b4e9")}
_OTHERS = ("#e69f00", "#009e73", "#56b4e9", "#cc79a7")
_REFERENCE, _FOLDED = "#ffffff", "#d4006a"
_HALVING = 1.0  # log2 of the Jacobian at the end of the colors, at least
_LONG = 18  # letters of a title that fill the width of a panel
_BELOW = -99.0  # stands for the logarithm where there is none: colored as folded
_PHASES = {"ed2es": (", end systole", ", end diastole"), "es2ed": (", end diastole", ", end systole")}


@dataclass(frozen=True)
class ImageRegistrationPicture:
    """What the picture shows; arrays ``(I, J, K)`` on the grid of the fixed image.

    Attributes:
        subject: identifier, for the title.
        fixed, moving, warped: images in the units of their files.
        displacement: voxels, pull-back, ``(3, I, J, K)``.
        jacobian: its determinant.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        direction: "ed2es" or "es2ed", for the title; anything else says nothing.
        labels: of "fixed", "moving" and "warped", those that are there.
        heart: whether labels are 1 right cavity, 2 myocardium, 3 left cavity.
        score: of a diffusion network, or none.
        overlap: Dice's coefficients by structure: before, after, and of the network alone or NaN.
        caption: numbers in words.
    """

    subject: str
    fixed: ArrayLike
    moving: ArrayLike
    warped: ArrayLike
    displacement: ArrayLike
    jacobian: ArrayLike
    affine: ArrayLike
    direction: str = ""
    labels: Mapping[str, ArrayLike] = field(default_factory=dict)
    heart: bool = True
    score: ArrayLike | None = None
    overlap: Mapping[str, Sequence[float]] = field(default_factory=dict)
    caption: str = ""


class _Column(NamedTuple):
    """One kind of picture, along all slices."""

    title: str
    panels: list[NDArray[np.float64]]
    limits: tuple[float, float]
    cmap: str | Colormap
    bar: str = ""
    labels: tuple[str, ...] = ()
    shared: int = 0  # columns before it that have the same colors, and none of the bars
    warps: bool = False


class _Turned(NamedTuple):
    """All that is shown, turned to right, anterior, superior; the displacement in mm along these axes."""

    images: dict[str, NDArray[np.float32]]
    labels: dict[str, NDArray[Any]]
    vectors: NDArray[np.float32]
    contours: dict[str, tuple[tuple[int, ...], str]]


def image_registration_figure(picture: ImageRegistrationPicture) -> Figure:
    """Draw slices of both images, the warped one, differences, displacement with grid, Jacobian and score.

    Intensities are scaled as the registration sees them: percentiles 0.5 and 99.5 of each image to 0 and 1.

    Args:
        picture: of one pair.

    Returns:
        Figure with three rows of slices, see :func:`~monai_cortex.visualize.image_pair_view.pair_views`, and a column
        for each kind of picture.
    """
    orientation = closest_orientation(picture.affine)
    turned = _turn(picture, orientation)
    views = pair_views(_content(turned), orientation, turned.labels.get("fixed") if picture.heart else None)
    columns = _columns(picture, turned, views)
    spacing = [tuple(orientation.spacing[list(view.plane)].tolist()) for view in views]
    shapes = [
        (panel.shape[0] * across, panel.shape[1] * along)
        for panel, (across, along) in zip(columns[0].panels, spacing, strict=True)
    ]
    page = panel_page(shapes, len(columns), aside=bool(picture.overlap))
    for place, column in enumerate(columns):
        rows = [page.panel(row, place) for row in range(len(views))]
        shown = [_panel(axes, column, turned, part) for axes, *part in zip(rows, views, spacing, range(3), strict=True)]
        rows[0].set_title(column.title, size="medium" if len(column.title) < _LONG else "small")
        if column.bar:
            _bar(page.bar(place, column.shared), shown[-1], column)
        if not place:
            _name(rows, views, orientation)
    if picture.overlap:
        overlap_panel(page.aside(len(columns)), picture.overlap)
    _foot(page.foot(), picture, turned)
    page.figure.suptitle(f"{picture.subject}: moving image registered to the fixed one", weight="bold")
    return page.figure


def _turn(picture: ImageRegistrationPicture, orientation: Orientation) -> _Turned:
    volumes = {name: getattr(picture, name) for name in ("fixed", "moving", "warped", "jacobian", "score")}
    images = {
        name: to_ras(np.asarray(values, np.float32), orientation)
        for name, values in volumes.items()
        if values is not None
    }
    low, high = np.percentile(images["moving"], (0.5, 99.5))
    images["warped"] = _scaled(images["warped"], low, high)
    for name in ("fixed", "moving"):
        images[name] = _scaled(images[name], *np.percentile(images[name], (0.5, 99.5)))
    moved = to_ras(np.asarray(picture.displacement, np.float32), orientation)[list(orientation.axes)]
    signs = np.where(orientation.flips, -1, 1) * orientation.spacing
    labels = {name: to_ras(values, orientation) for name, values in picture.labels.items()}
    return _Turned(images, labels, moved * signs[:, None, None, None].astype(np.float32), _contours(picture, labels))


def _scaled(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    return (values - np.float32(low)) / np.float32(max(high - low, 1e-9))


def _contours(
    picture: ImageRegistrationPicture, labels: Mapping[str, NDArray[Any]]
) -> dict[str, tuple[tuple[int, ...], str]]:
    """Numbers and color of each structure whose contour is drawn."""
    if picture.heart or not labels:
        return _HEART if labels else {}
    numbers, counts = np.unique(np.concatenate([values[values > 0] for values in labels.values()]), return_counts=True)
    largest = sorted(int(number) for number in numbers[np.argsort(-counts)[: len(_OTHERS)]])
    return {f"label {number}": ((number,), color) for number, color in zip(largest, _OTHERS, strict=False)}


def _content(turned: _Turned) -> NDArray[np.bool_]:
    """What is labeled; without labels, what is brighter than the background in one of the images."""
    volumes = [values > 0 for values in turned.labels.values()]
    volumes = volumes or [turned.images[name] > 0.1 for name in ("fixed", "moving")]  # noqa: PLR2004
    return np.logical_or.reduce(volumes)


def _columns(picture: ImageRegistrationPicture, turned: _Turned, views: Sequence[PairView]) -> list[_Column]:
    def cut(values: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        return [view.cut(values) for view in views]

    images = {name: cut(values) for name, values in turned.images.items()}
    phases = _PHASES.get(picture.direction, ("", ""))
    before, after = (
        [a - b for a, b in zip(images["fixed"], images[name], strict=True)] for name in ("moving", "warped")
    )
    limit = _highest(before, 99, 0.1)
    lengths = [np.sqrt(sum(view.cut(part) ** 2 for part in turned.vectors)) for view in views]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.where(part > 0, np.log2(part), _BELOW) for part in images["jacobian"]]
    spread = max(_HALVING, round(2 * _highest([part[part > _BELOW] for part in logs], 98, 0)) / 2)
    logs = [np.where(part > _BELOW, part.clip(-spread, spread), _BELOW) for part in logs]
    signed = mpl.colormaps["PuOr_r"].with_extremes(under=_FOLDED)
    gray, difference = ((0.0, 1.0), "gray"), ((-limit, limit), "RdBu_r")
    columns = [
        _Column(f"fixed{phases[0]}", images["fixed"], *gray, labels=("fixed",)),
        _Column(f"moving{phases[1]}", images["moving"], *gray, labels=("fixed", "moving")),
        _Column("moving, warped", images["warped"], *gray, labels=("fixed", "warped")),
        _Column("fixed \N{MINUS SIGN} moving", before, *difference),
        _Column("fixed \N{MINUS SIGN} warped", after, *difference, "share of the intensity range", shared=1),
        _Column("displacement", lengths, (0, _highest(lengths, 99.5, 1.0)), _dark("magma"), "length (mm)", warps=True),
        _Column("volume change J", logs, (-spread, spread), signed, "J (log scale)"),
    ]
    if "score" in images:
        low, high = np.percentile(np.concatenate([part.ravel() for part in images["score"]]), (1, 99))
        columns.append(
            _Column("diffusion score", images["score"], (float(low), float(high)), "viridis", "predicted noise (SD)")
        )
    return columns


def _highest(panels: Sequence[NDArray[np.float64]], percentile: float, least: float) -> float:
    sizes = np.concatenate([np.abs(part[np.isfinite(part)]).ravel() for part in panels])
    return max(float(np.percentile(sizes, percentile)) if sizes.size else 0.0, least)


def _panel(axes: Axes, column: _Column, turned: _Turned, part: Sequence[Any]) -> AxesImage:
    view, spacing, row = part
    shown = show_slice(axes, column.panels[row], spacing, column.limits, column.cmap)
    axes.spines[:].set(visible=True, color="0.8", linewidth=0.5)
    for name in column.labels:
        if name in turned.labels:
            alone = column.labels == ("fixed",)
            colors = {
                numbers: _REFERENCE if name == "fixed" and not alone else color
                for numbers, color in turned.contours.values()
            }
            outline(axes, view.cut(turned.labels[name]), spacing, colors)
    if column.warps:
        warped_grid(axes, [view.cut(turned.vectors[axis]) for axis in view.plane], spacing)
    return shown


def _dark(name: str) -> Colormap:
    """A color map without its brightest colors, on which white lines would vanish."""
    return LinearSegmentedColormap.from_list(f"dark {name}", mpl.colormaps[name](np.linspace(0, 0.82, 256)))


def _bar(axes: Axes, shown: AxesImage, column: _Column) -> None:
    bar = axes.figure.colorbar(shown, cax=axes, orientation="horizontal", label=column.bar)
    axes.tick_params(labelsize="small")
    if "log" in column.bar:
        whole = np.arange(-np.floor(column.limits[1]), np.floor(column.limits[1]) + 1)
        bar.set_ticks(whole.tolist(), labels=[f"{2**n:g}" if n >= 0 else f"1/{2**-n:g}" for n in whole])
        axes.minorticks_off()


def _name(rows: Sequence[Axes], views: Sequence[PairView], orientation: Orientation) -> None:
    for axes, view in zip(rows, views, strict=True):
        axes.set_ylabel(view.name)
        inner_letters(axes, edge_letters(view, orientation))
    scale_bar(rows[-1])


def _foot(axes: Axes, picture: ImageRegistrationPicture, turned: _Turned) -> None:
    """Legend and caption."""
    handles: list[Any] = [Line2D([], [], color=color, label=name) for name, (_, color) in turned.contours.items()]
    if turned.contours:
        outlined = [withStroke(linewidth=3, foreground="0.4")]
        handles.append(Line2D([], [], color=_REFERENCE, label="the same of the fixed image", path_effects=outlined))
    line: dict[str, Any] = {"color": "w", "linewidth": 0.8, "path_effects": [withStroke(linewidth=3, foreground="k")]}
    handles.append(Line2D([], [], label="grid of the moving image, warped", **line))
    if (turned.images["jacobian"] <= 0).any():
        handles.append(Patch(color=_FOLDED, label="folded, J \N{LESS-THAN OR EQUAL TO} 0"))
    axes.set_axis_off()
    axes.legend(
        handles=handles,
        loc="upper left",
        ncols=len(handles),
        frameon=False,
        fontsize="small",
        borderpad=0,
        borderaxespad=0,
    )
    axes.text(0, 0.55, fill(picture.caption, 165), transform=axes.transAxes, va="top", size="small")
