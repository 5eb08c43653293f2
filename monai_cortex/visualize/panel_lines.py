"""Lines over a slice: contours of labels, and a grid that a displacement has bent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["outline", "warped_grid"]

_ROUGH = 0.6  # voxels: contours of labels are smoothed by as much
_MIDDLE = 0.5
_LINES = 14  # of the grid across a panel, at least


def outline(
    axes: Axes, labels: NDArray[np.float64], spacing: Sequence[float], colors: Mapping[tuple[int, ...], str]
) -> None:
    """Draw the contour of each structure that the slice cuts.

    Args:
        axes: of a slice, in mm.
        labels: whole numbers, ``(W, H)``.
        spacing: of the voxels along both axes, mm.
        colors: by the numbers that a structure has.
    """
    for numbers, color in colors.items():
        inside = gaussian_filter(np.isin(labels, numbers).astype(np.float64), _ROUGH)
        if inside.max() > _MIDDLE > inside.min():
            axes.contour(*_lines(labels, spacing), inside.T, levels=[_MIDDLE], colors=[color], linewidths=1.2)


def warped_grid(axes: Axes, vectors: Sequence[NDArray[np.float64]], spacing: Sequence[float]) -> None:
    """Draw the straight lines of the moving image where the warp takes them: level sets of the map's coordinates.

    Args:
        axes: of a slice, in mm.
        vectors: pull-back displacement along both axes, mm, twice ``(W, H)``.
        spacing: of the voxels along both axes, mm.
    """
    lines = _lines(vectors[0], spacing)
    if min(map(len, lines)) == 1:
        return
    step = _round_step(min(float(line[-1]) for line in lines) / _LINES)
    for place, moved in zip(np.meshgrid(*lines, indexing="ij"), vectors, strict=True):
        levels = np.arange(step, float(place.max()), step)
        axes.contour(*lines, (place + moved).T, levels=levels, colors="w", linewidths=0.5, alpha=0.8)


def _lines(panel: NDArray[np.float64], spacing: Sequence[float]) -> list[NDArray[np.float64]]:
    return [np.arange(size) * edge for size, edge in zip(panel.shape, spacing, strict=True)]


def _round_step(length: float) -> float:
    power = 10.0 ** np.floor(np.log10(length))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= length))
