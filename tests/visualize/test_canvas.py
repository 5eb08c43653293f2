import struct

from monai_cortex.visualize.canvas import DPI, new_figure, png


def test_size_in_pixels_is_inches_times_dots_per_inch():
    data = png(new_figure(2, 1))
    assert struct.unpack(">II", data[16:24]) == (2 * DPI, DPI)


def test_same_figure_gives_same_bytes_and_names_no_program():
    first, second = new_figure(1, 1), new_figure(1, 1)
    assert png(first) == png(second)
    assert b"matplotlib" not in png(first).lower()
