import pytest

from monai_cortex.handlers.metric_tables import heading, side_by_side, subject_table

SUBJECT = {"subject": "s1", "initial_dice": 0.5, "dice": 0.75, "network_dice": 0.7, "hd_mm": 2.0, "initial_hd_mm": 4.0}
COLUMNS = {"before": "initial_", "network": "network_", "after": ""}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("residual_percent", "residual [%]"),
        ("time_s", "time [s]"),
        ("shells_s_per_mm2", "shells [s/mm\u00b2]"),
        ("a_b", "a b"),
    ],
)
def test_headings_name_units(name, shown):
    assert heading(name) == shown


def test_subjects_are_columns_and_words_are_left_out():
    table = subject_table([{"subject": "s1", "n": 1200, "kind": "x"}, {"subject": "s2", "dice": 0.125}])
    assert table.headings == ["quantity", "s1", "s2"]
    assert table.rows == [["n", "1,200", "n/a"], ["dice", "n/a", "0.125"]]


def test_one_quantity_is_one_row_and_what_stands_alone_comes_after():
    first, second = side_by_side({**SUBJECT, "network_s": 1.5, "kind": "x"}, COLUMNS)
    assert first.headings == ["quantity", "before", "network", "after"]
    assert first.rows == [["dice", "0.5", "0.7", "0.75"], ["hd [mm]", "4", "n/a", "2"]]
    assert second.rows == [["network [s]", "1.5"]]


def test_columns_without_any_number_are_not_shown():
    (table,) = side_by_side(
        {"subject": "s1", "lh_ncc": 0.5, "rh_ncc": 0.75}, {"left": "lh_", "right": "rh_", "more": "lh_x_"}
    )
    assert table.headings == ["quantity", "left", "right"]


def test_the_longest_prefix_is_a_names_own():
    (table,) = side_by_side({"subject": "s1", "lh_ncc": 0.5, "lh_x_ncc": 0.75}, {"left": "lh_", "more": "lh_x_"})
    assert table.rows == [["ncc", "0.5", "0.75"]]
