"""Figures of quantities along paths."""

import numpy as np
import pytest

from monai_cortex.visualize import path_figure, png

PLACES = (0.0, 0.5, 1.0)


@pytest.fixture
def curves():
    bent = np.array([[0, -2, 0], [0, -4, 0.0]])
    return {name: {"lerp": bent, "slerp": 0 * bent} for name in ("area", "roughness")}


def test_lines_are_means_over_pairs(curves):
    figure = path_figure(PLACES, curves, title="Between")
    assert [axes.get_title() for axes in figure.axes] == ["area", "roughness"]
    for axes in figure.axes:
        lines = {line.get_label(): line.get_ydata() for line in axes.lines}
        np.testing.assert_allclose(lines["lerp"], [0, -3, 0])
        np.testing.assert_allclose(lines["slerp"], 0)
    assert figure.get_suptitle() == "Between"


def test_band_is_one_standard_error(curves):
    band = path_figure(PLACES, curves).axes[0].collections[0].get_paths()[0].vertices
    middle = band[band[:, 0] == 0.5, 1]
    assert (middle.min(), middle.max()) == pytest.approx((-4, -2))


def test_equal_curves_give_equal_bytes(curves):
    assert png(path_figure(PLACES, curves)) == png(path_figure(PLACES, curves))


@pytest.mark.parametrize(
    "wrong", [{}, {"area": {}}, {"area": {"lerp": np.zeros(3)}}, {"area": {"lerp": np.zeros((2, 4))}}]
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        path_figure(PLACES, wrong)
