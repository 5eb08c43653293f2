"""Quality picture of one subject's deconvolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.fibers import Crop, fiber_glyphs
from monai_cortex.visualize.orientation import closest_orientation, to_ras
from monai_cortex.visualize.slices import anatomical_letters, color_bar, fullest_slice, scale_bar, show_slice

__all__ = ["DeconvolutionResult", "deconvolution_figure"]

_COLORS = (("L-R", "#c00000"), ("A-P", "#007a00"), ("S-I", "#0000d0"))
_BAR = "#0072b2"


@dataclass(frozen=True)
class DeconvolutionResult:
    """What the picture shows; arrays on the subject's own grid.

    Attributes:
        subject: identifier, for the title.
        b0: mean signal without diffusion weighting, ``(I, J, K)``.
        wmfod: even real harmonics of the fiber orientation distribution in RAS+ axes, ``(n, I, J, K)``.
        residual: root mean square of measured minus reconstructed signal, as a fraction of b0, ``(I, J, K)``.
        mask: voxels that were reconstructed, ``(I, J, K)``.
        affine: voxel indices to RAS+ mm, ``(4, 4)``.
        csf: coefficient of degree 0 of the isotropic compartment, in the unit of ``wmfod``, ``(I, J, K)``; or none.
        metrics: numbers for the caption, by name with unit.
    """

    subject: str
    b0: ArrayLike
    wmfod: ArrayLike
    residual: ArrayLike
    mask: ArrayLike
    affine: ArrayLike
    csf: ArrayLike | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


class _Slice(NamedTuple):
    """The axial slice that is shown, arrays ``(W, H)``, and the residual of all voxels of the mask in % of b0."""

    position: str
    b0: NDArray[np.float64]
    wmfod: NDArray[np.float64]
    residual: NDArray[np.float64]
    mask: NDArray[np.bool_]
    csf: NDArray[np.float64] | None
    errors: NDArray[np.float64]
    spacing: tuple[float, float]
    view: NDArray[np.float64]


def deconvolution_figure(
    result: DeconvolutionResult, *, slice_index: int | None = None, residual_limit: float | None = None
) -> Figure:
    """Draw b0, glyphs, isotropic share and residual of an axial slice, and the histogram of the residual.

    Args:
        result: of one subject.
        slice_index: slice to show, counted from inferior; by default where the mask is largest.
        residual_limit: top of the residual's range in % of b0; give the same to pictures that will be compared. By
            default the 99th percentile inside the mask.

    Returns:
        Figure of 12 by 7 inch.

    Raises:
        ValueError: if the mask is empty, the residual is nowhere finite, or the arrays do not share one grid.
    """
    part = _select(result, slice_index)
    limit = residual_limit or float(np.percentile(part.errors, 99)) or 1.0
    figure = new_figure(12, 7)
    panels = figure.subplot_mosaic(
        [["glyphs", "b0", "share"], ["glyphs", "residual", "histogram"]], width_ratios=(2.15, 1, 1)
    )
    crop = _draw_glyphs(panels["glyphs"], part)
    _draw_b0(panels["b0"], part, crop)
    _draw_share(panels["share"], part)
    _draw_residual(panels["residual"], part, limit)
    _draw_histogram(panels["histogram"], part.errors, limit)
    figure.suptitle(f"{result.subject}: fiber orientation distributions, {part.position}", weight="bold")
    figure.supxlabel(fill(_caption(crop, result), 200), size="small", ha="left", x=0.01)
    return figure


def _select(result: DeconvolutionResult, index: int | None) -> _Slice:
    """Turn the volumes to right, anterior, superior and cut the slice."""
    orientation = closest_orientation(result.affine)
    mask = to_ras(result.mask, orientation) > 0
    _check(result, bool(mask.any()))
    k = fullest_slice(mask) if index is None else index
    residual = 100 * to_ras(result.residual, orientation).astype(np.float64)
    errors = residual[mask & np.isfinite(residual)]
    if not errors.size:
        raise ValueError(f"subject {result.subject}: need a finite residual inside the mask, got none.")
    return _Slice(
        position=f"axial slice {k + 1} of {mask.shape[2]}",
        b0=to_ras(result.b0, orientation)[..., k],
        wmfod=to_ras(result.wmfod, orientation)[..., k],
        residual=np.where(mask, residual, np.nan)[..., k],
        mask=mask[..., k],
        csf=None if result.csf is None else to_ras(result.csf, orientation)[..., k],
        errors=errors,
        spacing=(float(orientation.spacing[0]), float(orientation.spacing[1])),
        view=orientation.frame,
    )


def _check(result: DeconvolutionResult, occupied: bool) -> None:
    if not occupied:
        raise ValueError(f"subject {result.subject}: the mask is empty; nothing can be shown.")
    grid = np.shape(result.mask)
    for name in ("b0", "wmfod", "residual", "csf"):
        volume = getattr(result, name)
        if volume is not None and np.shape(volume)[-3:] != grid:
            raise ValueError(f"subject {result.subject}: need {name} on the grid {grid}, got {np.shape(volume)}.")


def _draw_glyphs(axes: Axes, part: _Slice) -> Crop:
    _show_b0(axes, part, 4.0)
    crop = fiber_glyphs(axes, part.wmfod, mask=part.mask, view=part.view, spacing=part.spacing)
    (dx, dy), margin = part.spacing, 0.7
    axes.set_xlim((crop.left - margin) * dx, (crop.left + crop.width - 1 + margin) * dx)
    axes.set_ylim((crop.bottom - margin) * dy, (crop.bottom + crop.height - 1 + margin) * dy)
    axes.set_facecolor("black")
    _set_title(axes, "Fiber orientation distributions over b = 0")
    anatomical_letters(axes)
    scale_bar(axes)
    for place, (name, color) in zip((0.63, 0.74, 0.85), _COLORS, strict=True):
        axes.text(place, -0.012, name, color=color, transform=axes.transAxes, va="top", weight="bold")
    return crop


def _draw_b0(axes: Axes, part: _Slice, crop: Crop) -> None:
    image = _show_b0(axes, part, 1.0)
    (dx, dy) = part.spacing
    corner = ((crop.left - 0.5) * dx, (crop.bottom - 0.5) * dy)
    axes.add_patch(
        Rectangle(corner, crop.width * dx, crop.height * dy, fill=False, edgecolor="gold", linewidth=2, clip_on=False)
    )
    _finish_map(axes, image, "Mean b = 0 (box: glyphs)", "signal (scanner units)")


def _show_b0(axes: Axes, part: _Slice, headroom: float) -> AxesImage:
    top = headroom * _top(part.b0, part.mask)
    return show_slice(axes, part.b0, part.spacing, (0.0, top), "gray")


def _draw_share(axes: Axes, part: _Slice) -> None:
    """Share of the isotropic compartment, or the fiber density where there is none."""
    if part.csf is None:
        values = np.sqrt(4 * np.pi) * part.wmfod[0]
        top, title, label = _top(values, part.mask), "Fiber density", "integral of the distribution (1)"
    else:
        total = part.csf + part.wmfod[0]
        values = np.divide(part.csf, total, out=np.zeros_like(total), where=total > 0)
        top, title, label = 1.0, "Isotropic (CSF) fraction", "csf / (csf + fibers)"
    values = np.where(part.mask, values, np.nan)
    _finish_map(axes, show_slice(axes, values, part.spacing, (0.0, top), "cividis"), title, label)


def _draw_residual(axes: Axes, part: _Slice, limit: float) -> None:
    image = show_slice(axes, part.residual, part.spacing, (0.0, limit), "magma")
    _finish_map(axes, image, "Reconstruction residual", "% of b = 0 signal")


def _finish_map(axes: Axes, image: AxesImage, title: str, label: str) -> None:
    _set_title(axes, title)
    anatomical_letters(axes)
    color_bar(axes, image, label)


def _set_title(axes: Axes, title: str) -> None:
    axes.set_title(title, size="medium", pad=18)


def _draw_histogram(axes: Axes, errors: NDArray[np.float64], limit: float) -> None:
    """Residual of all voxels of the mask; the last bin holds what exceeds the limit."""
    edges = np.linspace(0, limit, 41)
    counts, _ = np.histogram(errors.clip(0, limit), edges)
    axes.stairs(counts, edges, fill=True, color=_BAR)
    median = float(np.median(errors))
    axes.axvline(median, color="black", linestyle="--")
    axes.set(xlim=(0, limit), xlabel="residual (% of b = 0 signal)", ylabel="voxels in the mask")
    _set_title(axes, f"Residual in the mask, median {median:.3g} %")
    axes.spines[["top", "right"]].set_visible(False)


def _top(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Brightest value of a color range: the 99th percentile inside the mask, or 1 where all is 0."""
    inside = values[mask & np.isfinite(values)]
    return float(np.percentile(inside, 99)) if (inside > 0).any() else 1.0


def _caption(crop: Crop, result: DeconvolutionResult) -> str:
    metrics = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in result.metrics.items())
    return (
        f"Seen from above, left is left. {crop.width} x {crop.height} glyphs around the center of the mask; "
        f"radius in proportion to amplitude, half a voxel at {crop.amplitude:.3g} per sr; "
        "red left-right, green anterior-posterior, blue superior-inferior. "
        "Residual: root mean square of measured minus reconstructed signal; the last bin holds all larger values."
        + (f" Metrics: {metrics}." if metrics else "")
    )
