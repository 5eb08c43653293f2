import numpy as np
import pytest

from monai_cortex.data.response import Response, read_response, write_response
from monai_cortex.errors import InputFileError

MULTI = "# Shells: 0,1000,3000\n# command_history: dwi2response\n3545 0 0\n2000 -600 70.5\n1200 -500 200\n"
ROWS = [[3545, 0, 0], [2000, -600, 70.5], [1200, -500, 200]]


@pytest.mark.parametrize(
    ("text", "rows", "shells"),
    [
        (MULTI, ROWS, [0, 1000, 3000]),
        ("# Shells: 1000\n2000 -600 70.5\n", ROWS[1:2], [1000]),
        ("2000 -600 70.5\n", ROWS[1:2], None),
        ("# a remark\n3545\n900\n100\n", [[3545], [900], [100]], None),
        ("#shells: 0 999\n1,2\n3,4", [[1, 2], [3, 4]], [0, 999]),
        ("# Shells: 0,1,2\n# Shells: 0,999\n1 2\n3 4", [[1, 2], [3, 4]], [0, 999]),
    ],
)
def test_rows_with_and_without_b0(tmp_path, text, rows, shells):
    (tmp_path / "wm.txt").write_text(text)
    found = read_response(tmp_path / "wm.txt")
    assert found.coefficients.tolist() == rows
    assert (found.shells if shells is None else found.shells.tolist()) == shells


@pytest.mark.parametrize("shells", [None, np.array([0.0, 999, 2999])])
def test_what_is_written_reads_back_exactly(tmp_path, shells):
    coefficients = np.random.default_rng(0).normal(size=(3, 5)) * 1e3
    write_response(tmp_path / "wm.txt", Response(coefficients, shells))
    found = read_response(tmp_path / "wm.txt")
    np.testing.assert_array_equal(found.coefficients, coefficients)
    np.testing.assert_array_equal(found.shells, shells)


FAULTS = {
    "": "empty",
    "# Shells: 0\n": "empty",
    "# Shells: 0,1000\n1 2\n": "1 rows, shells 0,1000",
    "# Shells: 0,x\n1 2\n3 4": "shells 0,x",
    "1 2\n3\n": "ragged",
    "1 2\n3 x\n": "word",
    "1 2\nnan inf\n": "2 of 4",
    "<html>": "web page",
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults(tmp_path, refused, text):
    path = tmp_path / "wm.txt"
    path.write_text(text)
    refused(InputFileError, lambda: read_response(path, "sub-1"), path, "sub-1", FAULTS[text])
