import math

import numpy as np
import pytest

from monai_cortex.visualize.columns import column_text, is_numeric


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.02, 0.92, 0.97], ["0.020", "0.920", "0.970"]),
        ([4.72, 6.99], ["4.72", "6.99"]),
        ([7.14, 23.2], ["7.1", "23.2"]),
        ([0.0], ["0.0"]),
        ([1234567.0, 2.0e6], ["1,234,567", "2,000,000"]),
        ([20480, 3], ["20,480", "3"]),
        ([20480, 0.5], ["20,480.00", "0.50"]),
        ([1e-9], ["1.0e-09"]),
        ([-0.5, None, math.nan, math.inf], ["-0.500", "n/a", "n/a", "n/a"]),
        (["sub-01", True, np.False_], ["sub-01", "yes", "no"]),
        ([np.float32(0.5), np.int64(2)], ["0.50", "2.00"]),
    ],
)
def test_one_number_of_decimals_per_column(values, texts):
    assert column_text(values) == texts


@pytest.mark.parametrize("values", [[1, 2.5], [None, 3], [np.float32(1)], ["6.53", "1,000.25"], ["0.91 ± 0.02"]])
def test_numbers_make_a_column_of_numbers(values):
    assert is_numeric(values)


@pytest.mark.parametrize("values", [[], [None], ["sub-01", 1], ["001"], [True], ["0, 1000"]])
def test_names_and_identifiers_do_not(values):
    assert not is_numeric(values)
