"""Maps on cortical surfaces in a grid: one column a map, one row a view of a hemisphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.surface_view import VIEWS, SurfaceView, surface_view

__all__ = ["SurfaceColumn", "SurfaceMap", "surface_grid"]

_SIDES = {"lh": "Left", "rh": "Right"}
_WIDTH, _HEIGHT, _EXTRA = 2.15, 1.55, 1.75  # inch, of a panel and of titles and color bars


class SurfaceMap(NamedTuple):
    """A map on a surface.

    Attributes:
        mesh: what it is shown on, RAS+ axes, ``(V, 3)`` and ``(F, 3)``.
        values: at the vertices, ``(V,)``; what is not finite is gray.
    """

    mesh: Mesh
    values: ArrayLike


class SurfaceColumn(NamedTuple):
    """One map of every hemisphere.

    Attributes:
        title: above the column.
        quantity: name with unit, under the color bar, which neighbors with the same quantity share.
        cmap: name of the color map.
        limits: values of its first and last color.
        extend: which end stands for values beyond the limits too: "neither", "max" or "both".
        maps: by hemisphere, "lh" and "rh"; a missing one leaves its place blank.
    """

    title: str
    quantity: str
    cmap: str
    limits: tuple[float, float]
    extend: str
    maps: Mapping[str, SurfaceMap]


def surface_grid(columns: Sequence[SurfaceColumn], title: str, caption: str = "") -> Figure:
    """Draw all maps from the lateral and the medial side.

    Args:
        columns: in order.
        title: of the figure, one line or more.
        caption: below it.

    Raises:
        ValueError: if there is no map.
    """
    sides = [side for side in _SIDES if any(side in column.maps for column in columns)]
    if not sides:
        raise ValueError("need the map of a hemisphere, got none.")
    rows = [(side, view) for side in sides for view in VIEWS]
    figure = new_figure(_WIDTH * len(columns) + 0.5, _HEIGHT * len(rows) + _EXTRA)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    seen: dict[tuple[int, str, str], SurfaceView] = {}
    for axes_row, (side, view) in zip(grid, rows, strict=True):
        for axes, column in zip(axes_row, columns, strict=True):
            _draw(axes, column, side, view, seen)
        _letters(axes_row[0], side, view)
        axes_row[0].set_ylabel(f"{_SIDES[side]}, {view}", labelpad=14)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column.title, size="medium", pad=10)
    _color_bars(figure, grid.tolist(), columns)
    figure.suptitle(title, size="large", linespacing=1.5)
    figure.supxlabel(caption, size="small", ha="left", x=0.01)
    return figure


def _draw(
    axes: Axes, column: SurfaceColumn, side: str, view: str, seen: dict[tuple[int, str, str], SurfaceView]
) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if side not in column.maps:
        return
    mesh, values = column.maps[side]
    key = (id(mesh.vertices), side, view)
    if key not in seen:
        seen[key] = surface_view(mesh, side, view)
    picture = seen[key].paint(values, mpl.colormaps[column.cmap], column.limits)
    axes.imshow(picture, interpolation="antialiased")


def _letters(axes: Axes, side: str, view: str) -> None:
    """Anterior and posterior: which way a hemisphere is turned is not obvious once it is a sphere."""
    left, right = "AP" if (side == "lh") == (view == "lateral") else "PA"
    for place, letter in ((-0.02, left), (1.02, right)):
        axes.text(place, 0.5, letter, transform=axes.transAxes, size=8, color="0.35", ha="center", va="center")


def _color_bars(figure: Figure, grid: Sequence[Sequence[Axes]], columns: Sequence[SurfaceColumn]) -> None:
    """One below each run of columns with the same quantity."""
    for _, run in groupby(enumerate(columns), key=lambda pair: pair[1].quantity):
        members = list(run)
        first = members[0][1]
        below = [row[number] for row in grid for number, _ in members]
        mappable = ScalarMappable(Normalize(*first.limits), mpl.colormaps[first.cmap])
        figure.colorbar(
            mappable,
            ax=below,
            location="bottom",
            label=first.quantity,
            extend=first.extend,
            shrink=0.85 / len(members) ** 0.5,
            aspect=16 * len(members) ** 0.5,
            pad=0.02,
        )
