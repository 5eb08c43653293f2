"""Figures of gains against costs."""

import numpy as np
import pytest

from monai_cortex.visualize import png, trade_off_figure

COSTS = {"folding": "folds [%]", "spread": "SD"}


@pytest.fixture
def points():
    return {
        name: {"dice": np.array([0.5, 0.7]) + shift, "folding": np.array([1.0, 3.0]), "spread": np.full(2, shift)}
        for name, shift in (("plain", 0.0), ("half", 0.1), ("other", 0.2))
    }


def test_points_are_means_with_one_standard_deviation(points):
    figure = trade_off_figure(points, "dice", COSTS, title="Worth")
    assert [axes.get_xlabel() for axes in figure.axes] == ["folds [%]", "SD"]
    first = {box.get_label(): box for box in figure.axes[0].containers}
    assert list(first) == ["plain", "half", "other"]
    np.testing.assert_allclose(first["half"].lines[0].get_xydata(), [[2.0, 0.7]])
    across, up = (bars.get_segments()[0] for bars in first["half"].lines[2])
    np.testing.assert_allclose(across, [[1.0, 0.7], [3.0, 0.7]])
    np.testing.assert_allclose(up, [[2.0, 0.6], [2.0, 0.8]])
    assert figure.get_suptitle() == "Worth"


def test_line_joins_the_methods_of_the_curve_in_order(points):
    figure = trade_off_figure(points, "dice", COSTS, curve=["half", "plain"])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xydata(), [[0.1, 0.7], [0.0, 0.6]])


def test_no_two_methods_look_alike(points):
    many = {f"{number}": points["plain"] for number in range(16)}
    boxes = trade_off_figure(many, "dice", COSTS, curve=["0", "1", "2", "3"]).axes[0].containers
    looks = {(box.lines[0].get_color(), box.lines[0].get_marker()) for box in boxes}
    assert len(looks) == len(boxes) == 16


def test_equal_points_give_equal_bytes(points):
    assert png(trade_off_figure(points, "dice", COSTS)) == png(trade_off_figure(points, "dice", COSTS))


@pytest.mark.parametrize(
    ("change", "costs", "curve"),
    [
        (lambda points: points.clear(), COSTS, ()),
        (lambda points: points["half"].pop("dice"), COSTS, ()),
        (lambda points: points["half"].update(dice=[]), COSTS, ()),
        (lambda points: points["half"].update(dice=np.zeros((1, 2))), COSTS, ()),
        (lambda _: None, {}, ()),
        (lambda _: None, COSTS, ("missing",)),
    ],
)
def test_what_cannot_be_drawn_is_refused(points, change, costs, curve):
    change(points)
    with pytest.raises(ValueError, match="need"):
        trade_off_figure(points, "dice", costs, curve=curve)
