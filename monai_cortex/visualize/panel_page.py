"""Pages of slices in rows and columns: panels of one width side by side, whatever is written around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monai_cortex.visualize.canvas import new_figure

__all__ = ["PanelPage", "panel_page"]

_WIDTH, _GAP, _LEFT, _FOOT, _TOP, _ASIDE = 1.6, 0.08, 0.6, 1.4, 0.65, 2.3  # of panels, and around them, inch


class PanelPage(NamedTuple):
    """A figure whose parts have fixed places.

    Attributes:
        figure: blank at first.
        heights: of the rows, inch.
    """

    figure: Figure
    heights: list[float]

    def place(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a place in inch from the lower left corner."""
        across, along = self.figure.get_size_inches()
        return self.figure.add_axes((left / across, bottom / along, width / across, height / along))

    def panel(self, row: int, column: int) -> Axes:
        """One slice, counted from the upper left."""
        below = sum(height + _GAP for height in self.heights[row + 1 :])
        return self.place(_LEFT + column * (_WIDTH + _GAP), _FOOT + below, _WIDTH, self.heights[row])

    def bar(self, column: int, shared: int) -> Axes:
        """Under the column, and as many before it as share its colors."""
        left, width = _LEFT + (column - shared) * (_WIDTH + _GAP), _WIDTH + shared * (_WIDTH + _GAP)
        return self.place(left + _GAP, _FOOT - 0.25, width - 2 * _GAP, 0.1)

    def aside(self, columns: int) -> Axes:
        """Behind so many columns, as high as all rows, with room for words on its left."""
        whole = sum(self.heights) + _GAP * (len(self.heights) - 1)
        return self.place(_LEFT + columns * (_WIDTH + _GAP) + _ASIDE / 2, _FOOT, _ASIDE / 2 - 0.2, whole)

    def foot(self) -> Axes:
        """Under everything, for words."""
        return self.place(_LEFT, 0.1, self.figure.get_size_inches()[0] - _LEFT, 0.6)


def panel_page(shapes: Sequence[tuple[float, float]], columns: int, aside: bool = False) -> PanelPage:
    """A blank page.

    Args:
        shapes: width and height of the panels of each row, in any unit.
        columns: how many.
        aside: whether there is room for one more panel behind the last column.
    """
    heights = [_WIDTH * height / width for width, height in shapes]
    whole = sum(heights) + _GAP * (len(heights) - 1)
    figure = new_figure(_LEFT + columns * (_WIDTH + _GAP) + _ASIDE * aside + 0.1, _FOOT + whole + _TOP)
    figure.set_layout_engine("none")
    return PanelPage(figure, heights)
