"""Contours and warped grids, in mm."""

import numpy as np
import pytest

from monai_cortex.visualize.canvas import new_figure
from monai_cortex.visualize.panel_lines import outline, warped_grid


def vertices(axes):
    return np.concatenate([path.vertices for part in axes.collections for path in part.get_paths()])


def test_outline_lies_where_the_label_ends():
    axes = new_figure(2, 2).add_subplot()
    labels = np.zeros((40, 20))
    labels[10:30, 5:15] = 3
    outline(axes, labels, (2.0, 3.0), {(2, 3): "r", (1,): "b"})
    found = vertices(axes)
    assert len(axes.collections) == 1
    np.testing.assert_allclose(found.min(0), [9.5 * 2, 4.5 * 3], atol=0.2)
    np.testing.assert_allclose(found.max(0), [29.5 * 2, 14.5 * 3], atol=0.2)


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_grid_of_a_shift_is_shifted_back(shift):
    """A line of the moving image at p is seen where x + u = p."""
    axes = new_figure(2, 2).add_subplot()
    shape = (71, 71)
    warped_grid(axes, [np.full(shape, shift), np.zeros(shape)], (1.0, 1.0))
    found = vertices(axes)
    upright = found[np.isclose(found[:, 0] % 5, -shift % 5)]
    assert len(upright) > 100
    level = np.isclose(found[:, 1] % 5, 0)
    assert (np.isclose(found[:, 0] % 5, -shift % 5) | level).all()


def test_single_row_of_voxels_has_no_grid():
    axes = new_figure(2, 2).add_subplot()
    warped_grid(axes, [np.zeros((1, 9))] * 2, (1.0, 1.0))
    assert not axes.collections
