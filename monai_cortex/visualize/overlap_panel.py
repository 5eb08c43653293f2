"""Overlap of structures before and after a registration, as a panel of dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

__all__ = ["overlap_panel"]


def overlap_panel(axes: Axes, overlap: Mapping[str, Sequence[float]]) -> None:
    """Draw Dice's coefficient of each structure from before to after.

    Args:
        axes: blank ones.
        overlap: by structure, in [0, 1]: before, after, and of the network alone or NaN.
    """
    heights = np.arange(len(overlap))[::-1]
    before, after, network = np.array(list(overlap.values()), np.float64).T
    axes.hlines(heights, before, after, color="0.7", linewidth=2, zorder=0)
    axes.plot(before, heights, "o", color="0.45", markerfacecolor="w", label="before")
    if np.isfinite(network).any():
        axes.plot(network, heights, "D", color="#cc79a7", markersize=5, label="network alone")
    axes.plot(after, heights, "o", color="#0072b2", label="after")
    axes.set(yticks=heights, ylim=(-0.6, len(overlap) - 0.4), xlim=(min(0.3, float(np.nanmin(before))) - 0.03, 1.0))
    axes.set_yticklabels(list(overlap), size="small")
    axes.set_title("Dice (3-D)", size="medium")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize="small")
    axes.legend(loc="upper center", frameon=False, fontsize="small", bbox_to_anchor=(0.35, -0.05))
