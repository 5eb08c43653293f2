"""One figure of a path between cortices: images, surfaces, thickness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from monai_cortex.geometry.mesh import Mesh
from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.orientation import closest_orientation, to_ras
from monai_cortex.visualize.slices import scale_bar, show_slice
from monai_cortex.visualize.surface_view import surface_view

__all__ = ["TrajectoryPicture", "TrajectoryStep", "trajectory_figure"]

_WHITE, _PIAL = "#0072b2", "#d55e00"  # told apart by the color-blind, and from gray and white
_TRUE, _FOUND, _OTHER = "#000000", "#d55e00", "#0072b2"
_MOST = 7  # columns
_THICKNESS = (1.0, 4.0)  # mm, of the color map
_SIDES = {"lh": "left", "rh": "right"}
_PART = 0.47  # of the slice's width and height that is enlarged
_MARGIN = 3.0  # mm around the pial surfaces that is shown


class TrajectoryStep(NamedTuple):
    """A place on the path.

    Attributes:
        title: of its column.
        image: in [0, 1], ``(I, J, K)``.
        white_distance, pial_distance: signed, mm, on the same grid.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        side: the hemisphere that is shown, "lh" or "rh".
        mesh: its pial surface, RAS+ mm.
        true, found: thickness of the meshes, and what the image shows, mm, ``(V,)``; NaN is gray.
    """

    title: str
    image: ArrayLike
    white_distance: ArrayLike
    pial_distance: ArrayLike
    affine: ArrayLike
    side: str
    mesh: Mesh
    true: ArrayLike
    found: ArrayLike


class TrajectoryPicture(NamedTuple):
    """All places, and what is measured along them.

    Attributes:
        steps: one or more.
        curves: ``thickness_mm``, ``found_thickness_mm``, ``pial_area_mm2`` and ``cortex_volume_mm3``, one number each
            place.
        start_mm: thickness that the search in the images starts with.
    """

    steps: Sequence[TrajectoryStep]
    curves: Mapping[str, Sequence[float]]
    start_mm: float


def trajectory_figure(picture: TrajectoryPicture) -> Figure:
    """Draw slices, the cortex colored by its thickness, and the measures along the path.

    Args:
        picture: of a path; of more than seven places, seven are shown above the curves, which have all.

    Raises:
        ValueError: there is no place.
    """
    if not picture.steps:
        raise ValueError("need a place on the path, got none.")
    shown = np.unique(np.linspace(0, len(picture.steps) - 1, min(_MOST, len(picture.steps))).round().astype(int))
    steps = [picture.steps[number] for number in shown]
    figure = new_figure(2.25 * len(shown) + 1.3, 11.6)
    halves: Any = figure.subfigures(2, 1, height_ratios=[3.0, 1])
    top, bottom = halves
    grid = top.subplots(4, len(shown), squeeze=False, height_ratios=[1.0, 1.0, 0.8, 0.8])
    image = _slices(grid[:2], steps)
    top.colorbar(image, ax=grid[:2].ravel().tolist(), label="T1-weighted signal [1]", shrink=0.6, aspect=16)
    bar = _surfaces(grid[2:], steps)
    top.colorbar(bar, ax=grid[2:].ravel().tolist(), label="thickness [mm]", extend="both", shrink=0.85, aspect=16)
    for axes, step in zip(grid[0], steps, strict=True):
        axes.set_title(step.title.replace("_", " "), weight="bold")
    _curves(bottom.subplots(1, 2, width_ratios=[1.35, 1]), picture)
    return figure


def _slices(grid: NDArray[Any], steps: Sequence[TrajectoryStep]) -> AxesImage:
    """One coronal slice for all, on one scale of gray, and the part around one temporal lobe with the surfaces."""
    volumes = [_turned(step) for step in steps]
    box = _box(volumes)
    index = int((volumes[len(volumes) // 2][1][box] < 0).sum((0, 2)).argmax())
    spacing = np.delete(closest_orientation(steps[0].affine).spacing, 1).tolist()
    for whole, near, volume in zip(*grid, volumes, strict=True):
        image, white, pial = (np.take(part[box], index, 1) for part in volume)
        shown = show_slice(whole, image, (spacing[0], spacing[1]), (0, 1), "gray")
        show_slice(near, image, (spacing[0], spacing[1]), (0, 1), "gray")
        for distance, color in ((white, _WHITE), (pial, _PIAL)):
            _contour(near, distance, spacing, color)
        _zoom(near, whole, [size * edge for size, edge in zip(image.shape, spacing, strict=True)], steps[0].side)
    for name, color in (("white surface", _WHITE), ("pial surface", _PIAL)):
        grid[1][0].plot([], [], color=color, linewidth=1.6, label=name)
    grid[1][0].legend(loc="lower left", fontsize="x-small", facecolor="black", labelcolor="w", framealpha=0.6)
    grid[0][0].set_ylabel("MRI drawn,\ncoronal")
    grid[1][0].set_ylabel("enlarged,\nwith its surfaces")
    _letters(grid[0][0], "LRIS")
    scale_bar(grid[0][0])
    scale_bar(grid[1][0])
    return shown


def _zoom(near: Axes, whole: Axes, size: Sequence[float], side: str) -> None:
    """Show a lower outer part with the proportions of the whole, and frame it there."""
    width, height = (_PART * length for length in size)
    left, bottom = (0.02 if side == "lh" else 0.98 - _PART) * size[0], 0.14 * size[1]
    near.set(xlim=(left, left + width), ylim=(bottom, bottom + height))
    frame = Rectangle((left, bottom), width, height, fill=False, edgecolor="w", linewidth=0.8, linestyle="--")
    whole.add_patch(frame)


def _turned(step: TrajectoryStep) -> list[NDArray[np.float64]]:
    orientation = closest_orientation(step.affine)
    kinds = (step.image, step.white_distance, step.pial_distance)
    return [to_ras(np.asarray(values, np.float64), orientation) for values in kinds]


def _box(volumes: Sequence[Sequence[NDArray[np.float64]]]) -> tuple[slice, ...]:
    """Around the pial surfaces of all; everything where grids differ."""
    if len({pial.shape for _, _, pial in volumes}) > 1:
        return (slice(None),) * 3
    near = np.argwhere(np.min([pial for _, _, pial in volumes], 0) < _MARGIN)
    return tuple(slice(int(low), int(high) + 1) for low, high in zip(near.min(0), near.max(0), strict=True))


def _contour(axes: Axes, distance: NDArray[np.float64], spacing: Sequence[float], color: str) -> None:
    if distance.min() < 0 < distance.max():
        across, along = (np.arange(size) * edge for size, edge in zip(distance.shape, spacing, strict=True))
        axes.contour(across, along, distance.T, levels=[0.0], colors=[color], linewidths=1.2)


def _letters(axes: Axes, letters: str) -> None:
    places = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"), (0.5, 0.02, "center", "bottom"))
    for letter, (x, y, across, along) in zip(letters, (*places, (0.5, 0.98, "center", "top")), strict=True):
        axes.text(x, y, letter, transform=axes.transAxes, color="w", ha=across, va=along, weight="bold")


def _surfaces(grid: NDArray[Any], steps: Sequence[TrajectoryStep]) -> ScalarMappable:
    """The cortex colored by the thickness of its meshes, and by what the image shows."""
    cmap = mpl.colormaps["viridis"].copy()
    for column, step in zip(grid.T, steps, strict=True):
        view = surface_view(step.mesh, step.side, "lateral")
        for axes, values in zip(column, (step.true, step.found), strict=True):
            axes.imshow(view.paint(values, cmap, _THICKNESS), interpolation="antialiased")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    side = _SIDES[steps[0].side]
    grid[0][0].set_ylabel(f"{side} hemisphere\nfrom the meshes")
    grid[1][0].set_ylabel(f"{side} hemisphere\nfound in the MRI")
    return ScalarMappable(Normalize(*_THICKNESS), cmap)


def _curves(panels: NDArray[Any], picture: TrajectoryPicture) -> None:
    curves, places = picture.curves, np.arange(len(picture.steps))
    left, right = panels
    left.axhline(picture.start_mm, color="0.5", linestyle=":", label="where the search starts")
    left.plot(places, curves["thickness_mm"], "o-", color=_TRUE, label="from the meshes (true)")
    left.plot(places, curves["found_thickness_mm"], "s--", color=_FOUND, label="found in the MRI")
    left.set_ylabel("mean thickness [mm]")
    names = {"pial_area_mm2": ("pial area", "-", "^"), "cortex_volume_mm3": ("volume of the cortex", "--", "v")}
    for (name, (label, style, marker)), color in zip(names.items(), (_OTHER, "#009e73"), strict=True):
        values = np.asarray(curves[name], np.float64)
        right.plot(places, 100 * (values / values[0] - 1), linestyle=style, marker=marker, color=color, label=label)
    right.axhline(0, color="0.5", linewidth=0.6)
    right.set_ylabel("change since the first [%]")
    for axes in panels:
        axes.set(xticks=places, xlabel="place on the path")
        axes.set_xticklabels([step.title.replace("_", " ") for step in picture.steps])
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
