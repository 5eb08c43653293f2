"""Panels of one width, side by side."""

import pytest

from monai_cortex.visualize.panel_page import panel_page


def inches(page, axes):
    left, bottom, width, height = axes.get_position().bounds
    across, along = page.figure.get_size_inches()
    return left * across, bottom * along, width * across, height * along


def test_panels_keep_their_shape_and_stand_in_rows():
    page = panel_page([(10, 10), (10, 20)], columns=3)
    first, second = (inches(page, page.panel(row, 0)) for row in (0, 1))
    assert first[2] == pytest.approx(first[3]) == pytest.approx(second[3] / 2)
    assert first[1] >= second[1] + second[3]
    right = inches(page, page.panel(0, 1))
    assert right[1] == pytest.approx(first[1])
    assert right[0] > first[0] + first[2]


def test_shared_bar_spans_both_columns_and_all_stays_on_the_page():
    page = panel_page([(1, 1)] * 3, columns=2, aside=True)
    alone, shared = inches(page, page.bar(1, 0)), inches(page, page.bar(1, 1))
    assert shared[2] > 2 * alone[2]
    assert shared[0] + shared[2] == pytest.approx(alone[0] + alone[2])
    width, height = page.figure.get_size_inches()
    for axes in (page.aside(2), page.foot(), page.panel(0, 1), page.panel(2, 0)):
        left, bottom, across, along = inches(page, axes)
        assert min(left, bottom) >= 0
        assert left + across <= width + 1e-9
        assert bottom + along <= height
