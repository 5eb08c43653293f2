import numpy as np
import pytest

from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.slices import anatomical_letters, fullest_slice, inner_letters, scale_bar, show_slice


@pytest.fixture
def axes():
    return new_figure(3, 3).add_subplot()


def test_fullest_slice_is_the_largest_and_the_middle_of_equals():
    mask = np.zeros((4, 4, 7), bool)
    mask[:2, :2, 1:6] = True
    assert fullest_slice(mask) == 3
    mask[:, :, 5] = True
    assert fullest_slice(mask) == 5


def test_first_index_runs_to_the_right_and_second_up(axes):
    image = show_slice(axes, np.array([[0.0, 1], [2, 3], [4, 5]]), (2.0, 3.0), (0, 5), "gray")
    assert image.get_extent() == [-1.0, 5.0, -1.5, 4.5]
    assert image.origin == "lower"
    np.testing.assert_array_equal(image.get_array(), [[0, 2, 4], [1, 3, 5]])


def test_color_range_is_the_given_one_and_holes_stay_blank(axes):
    image = show_slice(axes, np.array([[np.nan, 9.0]]), (1.0, 1.0), (0, 5), "magma")
    assert image.get_clim() == (0, 5)
    assert image.get_array().mask.tolist() == [[True], [False]]


def test_left_is_left_and_anterior_is_up(axes):
    anatomical_letters(axes)
    place = {text.get_text(): text.xy for text in axes.texts}
    assert place == {"L": (0, 0.5), "R": (1, 0.5), "A": (0.5, 1), "P": (0.5, 0)}


def test_letters_inside_stand_at_left_right_lower_and_upper_edge(axes):
    inner_letters(axes, ("P", "A", "I", "S"))
    place = {text.get_text(): text.get_position() for text in axes.texts}
    assert max(place["P"][0], place["I"][1]) < 0.1
    assert min(place["A"][0], place["S"][1]) > 0.9


@pytest.mark.parametrize(("width", "length"), [(20, 5), (36, 5), (200, 50), (0.9, 0.2), (84, 20)])
def test_scale_bar_has_a_round_length(axes, width, length):
    axes.set_xlim(3, 3 + width)
    scale_bar(axes)
    (bar,) = axes.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(length)
    assert axes.texts[0].get_text() == f"{length:g} mm"
