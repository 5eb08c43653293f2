import numpy as np
import pytest

from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.visualize.canvas import png
from monai_cortex.visualize.surface_grid import SurfaceColumn, SurfaceMap, surface_grid

BALL = icosphere(2)


def column(title, quantity="depth (mm)", sides=("lh", "rh"), limits=(-1.0, 1.0)):
    maps = {side: SurfaceMap(BALL, BALL.vertices[:, 1]) for side in sides}
    return SurfaceColumn(title, quantity, "viridis", limits, "both", maps)


def panels(figure):
    return [axes for axes in figure.axes if axes.images]


def bars(figure):
    return [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]


def test_one_row_a_view_and_one_column_a_map():
    figure = surface_grid([column("one"), column("two", "length")], "title")
    assert len(panels(figure)) == 8
    assert [axes.get_title() for axes in panels(figure)[:2]] == ["one", "two"]
    labels = [axes.get_ylabel() for axes in panels(figure)]
    assert [label for label in labels if label] == ["Left, lateral", "Left, medial", "Right, lateral", "Right, medial"]


def test_neighbors_with_one_quantity_share_a_color_bar():
    figure = surface_grid([column("a"), column("b"), column("c", "angle", limits=(0.0, 4.0))], "title")
    assert [axes.get_xlabel() for axes in bars(figure)] == ["depth (mm)", "angle"]
    assert [axes.get_xlim() for axes in bars(figure)] == [(-1, 1), (0, 4)]


def test_front_and_back_are_named_from_each_side():
    figure = surface_grid([column("a")], "title")
    letters = ["".join(text.get_text() for text in axes.texts) for axes in panels(figure)]
    assert letters == ["AP", "PA", "PA", "AP"]


def test_missing_hemisphere_leaves_its_place_blank_or_no_row():
    assert len(panels(surface_grid([column("a"), column("b", sides=["rh"])], "title"))) == 6
    assert len(panels(surface_grid([column("a", sides=["rh"])], "title"))) == 2


def test_same_maps_give_the_same_file():
    pictures = [png(surface_grid([column("a")], "title", "caption")) for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_values_reach_the_picture():
    image = np.asarray(panels(surface_grid([column("a")], "title"))[0].images[0].get_array())
    middle = image[image.shape[0] // 2]
    front, back = middle[20, :3], middle[-20, :3]  # viridis ends in yellow and starts in violet
    assert front[0] > 0.5 > back[0]


def test_no_map_is_refused():
    with pytest.raises(ValueError, match="hemisphere"):
        surface_grid([column("a", sides=[])], "title")
