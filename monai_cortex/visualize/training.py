"""Loss terms and learning rate against the training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monai_cortex.visualize.canvas import new_figure

__all__ = ["training_figure"]

# Okabe and Ito's colors, told apart by color-blind readers; black comes first for the total.
_COLORS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_STYLES = ("-", "--", "-.", ":")
_SMOOTHED = 20  # points of the running mean, used where a term has at least ten times as many
_STEP, _RATE = "step", "learning_rate"
_History = Sequence[Mapping[str, float]]


def training_figure(history: Sequence[Mapping[str, float]], *, title: str = "Training") -> Figure:
    """Draw all loss terms on one logarithmic axis and the learning rate, where there is one, below.

    Args:
        history: one record per logged step, in order: ``step``, optionally ``learning_rate``, and any loss terms,
            by name; a term may be absent from a record. Names that start with ``val`` are drawn with markers.
        title: of the figure.

    Returns:
        Figure of 9 by 5 inch.

    Raises:
        ValueError: if there is no record, a record has no step, or there is no loss term.
    """
    if not history or not all(_STEP in record for record in history):
        raise ValueError(f"need at least one record, each with {_STEP!r}, got {len(history)} records.")
    names = list(dict.fromkeys(name for record in history for name in record if name not in (_STEP, _RATE)))
    if not names:
        raise ValueError(f"need at least one loss term beside {_STEP!r} and {_RATE!r}, got none.")
    figure = new_figure(9, 5)
    panels = [_draw_losses, _draw_rate] if any(_RATE in record for record in history) else [_draw_losses]
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=(3.5, 1)[: len(panels)])[:, 0]
    for axes, draw in zip(rows, panels, strict=True):
        draw(axes, history, names)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set_xlabel("step")
    figure.legend(loc="outside right upper", frameon=False)
    figure.suptitle(title, weight="bold")
    return figure


def _draw_losses(axes: Axes, history: _History, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        style = {"color": _COLORS[number % len(_COLORS)], "linestyle": _STYLES[number % len(_STYLES)]}
        _draw_term(axes, name, *_series(history, name), style)
    axes.set(yscale="log", ylabel="loss")


def _draw_rate(axes: Axes, history: _History, _: Sequence[str]) -> None:
    axes.plot(*_series(history, _RATE), color=_COLORS[0])
    axes.set(ylabel="learning rate", ylim=(0, None))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


def _series(history: _History, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values of one term, without what a logarithmic axis cannot show."""
    pairs = np.array([(record[_STEP], record[name]) for record in history if name in record], dtype=np.float64)
    steps, values = pairs.reshape(-1, 2).T
    return steps, np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _draw_term(
    axes: Axes, name: str, steps: NDArray[np.float64], values: NDArray[np.float64], style: Mapping[str, Any]
) -> None:
    label = name.replace("_", " ") + ("" if np.isfinite(values).any() else " (never above 0)")
    if name.startswith("val"):
        axes.plot(steps, values, label=label, marker="o", markersize=4, **style)
    elif len(steps) < 10 * _SMOOTHED:
        axes.plot(steps, values, label=label, **style)
    else:
        axes.plot(steps, values, color=style["color"], alpha=0.2, linewidth=0.8)
        axes.plot(steps[_SMOOTHED - 1 :], _running_mean(values), label=f"{label}\n(mean of {_SMOOTHED})", **style)


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.convolve(values, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")
