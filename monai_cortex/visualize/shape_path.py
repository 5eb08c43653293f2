"""What shapes are like along paths from one to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from monai_cortex.visualize.canvas import new_figure

__all__ = ["path_figure"]

# Okabe and Ito's colors, and dashes for readers who see none.
_LOOKS = (("#d55e00", "--"), ("#0072b2", "-"), ("#009e73", ":"), ("#cc79a7", "-."))


def path_figure(places: Sequence[float], curves: Mapping[str, Mapping[str, ArrayLike]], *, title: str = "") -> Figure:
    """Draw one panel for each quantity, with one line for each kind of path and a band of one standard error.

    Args:
        places: on the path, from 0 to 1, P of them.
        curves: by quantity and kind of path, change in percent ``(N, P)`` of N pairs.
        title: of the figure.

    Returns:
        Figure, 2.6 inch for each panel and 3 inch high.

    Raises:
        ValueError: if there is no quantity, a quantity has no path or more than four, or values do not fit the places.
    """
    if not curves or not all(1 <= len(lines) <= len(_LOOKS) for lines in curves.values()):
        raise ValueError(f"need a quantity or more, each with one to {len(_LOOKS)} kinds of path.")
    figure = new_figure(2.6 * len(curves), 3)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, (quantity, lines) in zip(panels, curves.items(), strict=True):
        for (name, found), (color, style) in zip(lines.items(), _LOOKS, strict=False):
            values = np.asarray(found, np.float64)
            if values.ndim != 2 or not len(values) or values.shape[1] != len(places):  # noqa: PLR2004
                raise ValueError(f"{quantity}, {name}: need (N, {len(places)}) values, got shape {values.shape}.")
            mean, error = values.mean(0), values.std(0) / max(1, len(values) - 1) ** 0.5
            axes.plot(places, mean, color=color, linestyle=style, label=name)
            axes.fill_between(places, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)
        axes.axhline(0, color="#000000", linewidth=0.6)
        axes.set(title=quantity, xlabel="place on the path")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("change [%]")
    panels[0].legend(frameon=False)
    if title:
        figure.suptitle(title, weight="bold")
    return figure
