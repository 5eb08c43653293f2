import numpy as np
import pytest

from monai_cortex.visualize.canvas import png
from monai_cortex.visualize.training import training_figure

HISTORY = [{"step": k, "total": 1 / k, "sparsity": 0.0, "learning_rate": 1e-3} for k in range(1, 11)]


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_terms_are_on_a_logarithmic_axis_and_the_rate_has_its_own():
    losses, rate = training_figure(HISTORY).axes
    assert losses.get_yscale() == "log"
    np.testing.assert_allclose(lines(losses)["total"].get_ydata(), [1 / k for k in range(1, 11)])
    np.testing.assert_allclose(rate.lines[0].get_ydata(), 1e-3)
    assert (losses.get_ylabel(), rate.get_ylabel(), rate.get_xlabel()) == ("loss", "learning rate", "step")


def test_term_that_is_always_zero_is_named_in_the_legend():
    figure = training_figure(HISTORY)
    assert "sparsity (never above 0)" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_without_a_learning_rate_there_is_one_panel_with_the_step_below():
    (losses,) = training_figure([{"step": 1, "total": 1.0}, {"step": 2, "total": 0.5}]).axes
    assert losses.get_xlabel() == "step"


def test_validation_is_drawn_where_it_was_measured():
    figure = training_figure([*HISTORY, {"step": 11, "val_total": 0.2}])
    line = lines(figure.axes[0])["val total"]
    assert line.get_xdata() == [11]
    assert line.get_marker() == "o"


def test_running_mean_of_a_straight_line_is_the_line_ten_steps_late():
    """The mean of k - 19..k is k - 9.5."""
    axes = training_figure([{"step": k, "total": float(k)} for k in range(1, 301)]).axes[0]
    line = lines(axes)["total\n(mean of 20)"]
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata() - 9.5)
    assert line.get_xdata()[0] == 20


def test_terms_differ_in_color_and_line():
    figure = training_figure([{"step": 1, "a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}])
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 4


def test_figure_can_be_drawn_with_infinite_and_missing_values():
    records = [{"step": 1, "total": float("nan")}, {"step": 2, "total": float("inf")}, {"step": 3, "total": 1.0}]
    assert len(png(training_figure(records))) > 5000


@pytest.mark.parametrize("history", [[], [{"total": 1.0}], [{"step": 1}], [{"step": 1, "learning_rate": 0.1}]])
def test_history_needs_steps_and_a_loss(history):
    with pytest.raises(ValueError, match="need at least one"):
        training_figure(history)
