"""Dots before and after."""

import math

from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.overlap_panel import overlap_panel


def drawn(overlap):
    axes = new_figure(3, 3).add_subplot()
    overlap_panel(axes, overlap)
    return axes, {line.get_label(): list(line.get_xdata()) for line in axes.lines}


def test_dots_are_at_the_numbers_first_structure_on_top():
    axes, found = drawn({"LV": (0.1, 0.8, 0.7), "RV": (0.6, 0.9, 0.5)})
    assert found == {"before": [0.1, 0.6], "network alone": [0.7, 0.5], "after": [0.8, 0.9]}
    heights = axes.lines[0].get_ydata()
    assert heights[0] > heights[1]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["LV", "RV"]
    assert axes.get_xlim()[0] < 0.1


def test_without_a_network_there_are_two_dots():
    assert set(drawn({"LV": (0.5, 0.8, math.nan)})[1]) == {"before", "after"}
