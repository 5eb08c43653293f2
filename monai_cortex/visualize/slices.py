"""Slices of volumes in millimeters, with anatomical letters, a scale bar and a color bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

__all__ = ["anatomical_letters", "color_bar", "fullest_slice", "inner_letters", "scale_bar", "show_slice"]

_PAPER = "0.93"


def fullest_slice(mask: NDArray[np.bool_]) -> int:
    """Index along the last axis where the mask ``(I, J, K)`` covers most voxels; the middle one of equals."""
    area = mask.sum((0, 1))
    best = np.flatnonzero(area == area.max())
    return int(best[len(best) // 2])


def show_slice(
    axes: Axes,
    values: NDArray[np.float64],
    spacing: tuple[float, float],
    limits: tuple[float, float],
    cmap: str | Colormap,
) -> AxesImage:
    """Draw a slice ``(W, H)``, first axis to the right and second up; voxel (w, h) has its center at (w, h) * spacing.

    Args:
        axes: where to draw; its unit becomes mm.
        values: of the slice; what is not finite is left blank.
        spacing: voxel size, mm.
        limits: values of the darkest and the brightest color.
        cmap: color map.
    """
    (dx, dy), (width, height) = spacing, values.shape
    image = axes.imshow(
        np.ma.masked_invalid(values.T),
        cmap=cmap,
        vmin=limits[0],
        vmax=limits[1],
        origin="lower",
        interpolation="nearest",
        extent=(-dx / 2, (width - 0.5) * dx, -dy / 2, (height - 0.5) * dy),
    )
    axes.set(xticks=[], yticks=[], facecolor=_PAPER)
    axes.spines[:].set_visible(False)
    return image


def anatomical_letters(axes: Axes) -> None:
    """L, R, A, P outside the edges of an axial slice seen from above: left on the left."""
    places = {
        "L": (0.0, 0.5, "right", "center", (-4, 0)),
        "R": (1.0, 0.5, "left", "center", (4, 0)),
        "A": (0.5, 1.0, "center", "bottom", (0, 2)),
        "P": (0.5, 0.0, "center", "top", (0, -3)),
    }
    for letter, (x, y, across, along, offset) in places.items():
        axes.annotate(
            letter,
            (x, y),
            xycoords="axes fraction",
            xytext=offset,
            textcoords="offset points",
            ha=across,
            va=along,
            weight="bold",
            annotation_clip=False,
        )


def inner_letters(axes: Axes, letters: Sequence[str], size: float | str = "medium") -> None:
    """Letters at the left, right, lower and upper edge of a slice, inside it; outlined, to be read on any gray."""
    places = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"), (0.5, 0.02, "center", "bottom"))
    for letter, (x, y, across, along) in zip(letters, (*places, (0.5, 0.98, "center", "top")), strict=True):
        text = axes.text(
            x, y, letter, transform=axes.transAxes, color="w", ha=across, va=along, weight="bold", size=size
        )
        text.set_path_effects([withStroke(linewidth=2, foreground="k")])


def scale_bar(axes: Axes) -> None:
    """A bar of 1, 2 or 5 times a power of ten millimeters, about a quarter of the width, under the slice."""
    left, right = axes.get_xlim()
    target = (right - left) / 4
    power = 10.0 ** np.floor(np.log10(target))
    length = power * max(step for step in (1, 2, 5) if step * power <= target)
    across = axes.get_xaxis_transform()
    axes.plot(
        [left, left + length], [-0.028] * 2, "k-", linewidth=3, solid_capstyle="butt", transform=across, clip_on=False
    )
    axes.annotate(
        f"{length:g} mm",
        (left + length, -0.028),
        xycoords=across,
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def color_bar(axes: Axes, image: AxesImage, label: str) -> None:
    """Color bar of the image under the axes and as wide as they are, with its quantity and unit."""
    place = axes.inset_axes((0.0, -0.17, 1.0, 0.05))
    axes.figure.colorbar(image, cax=place, orientation="horizontal", label=label)
