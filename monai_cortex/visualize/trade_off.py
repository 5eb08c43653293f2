"""What methods gain against what they pay for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from monai_cortex.visualize.canvas import new_figure

__all__ = ["trade_off_figure"]

# Okabe and Ito's colors without black, which is the curve's, and marks for readers who see none.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")


def trade_off_figure(
    points: Mapping[str, Mapping[str, ArrayLike]],
    gain: str,
    costs: Mapping[str, str],
    *,
    curve: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Draw one panel for each cost: a point for each method, with one standard deviation, and a line through some.

    Args:
        points: by method and quantity, values ``(N,)`` of N repetitions.
        gain: quantity along the vertical axis.
        costs: title of the horizontal axis by quantity, one panel each.
        curve: methods, in order, that differ in one setting only; they are black and joined by a line.
        title: of the figure.

    Returns:
        Figure, 4.2 inch for each panel and 4 inch high, and 1.2 inch for the legend.

    Raises:
        ValueError: if there is no method or no cost, a quantity of a method is missing or empty, or the curve names a
            method that is not there.
    """
    wanted = {gain, *costs}
    if not points or not costs or any(not wanted <= own.keys() for own in points.values()):
        raise ValueError(f"need methods with all of {', '.join(sorted(wanted))}, and a cost.")
    if any(np.ndim(own[name]) != 1 or not np.size(own[name]) for own in points.values() for name in wanted):
        raise ValueError("need (N,) values of each quantity, N at least 1.")
    if not set(curve) <= points.keys():
        raise ValueError(f"need the curve's methods among {', '.join(points)}, got {', '.join(curve)}.")
    figure = new_figure(4.2 * len(costs) + 1.2, 4)
    looks = _looks(points, curve)
    for axes, (cost, words) in zip(
        figure.subplots(1, len(costs), sharey=True, squeeze=False)[0], costs.items(), strict=True
    ):
        places = {name: [np.asarray(own[q], np.float64) for q in (cost, gain)] for name, own in points.items()}
        axes.plot(*([places[name][axis].mean() for name in curve] for axis in (0, 1)), color="#000000", linewidth=0.8)
        for name, values in places.items():
            (x, y), (dx, dy) = ([value.mean() for value in values], [value.std() for value in values])
            axes.errorbar(x, y, dy, dx, label=name, linestyle="", elinewidth=0.8, markersize=5, **looks[name])
            axes.annotate(name, (x, y), (4, 3), textcoords="offset points", fontsize=7)
        axes.set(xlabel=words)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel(gain)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    if title:
        figure.suptitle(title, weight="bold")
    return figure


def _looks(names: Mapping[str, object], curve: Sequence[str]) -> dict[str, dict[str, str]]:
    """Color and mark of each method; no two are alike."""
    others = [name for name in names if name not in curve]
    looks = {name: {"color": "#000000", "marker": _MARKS[number % len(_MARKS)]} for number, name in enumerate(curve)}
    for number, name in enumerate(others):
        looks[name] = {"color": _COLORS[number % len(_COLORS)], "marker": _MARKS[number % len(_MARKS)]}
    return looks
