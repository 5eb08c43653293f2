import json

import pytest
import torch

from monai_cortex.data import read_points, write_points
from monai_cortex.errors import InputFileError

TABLE = 'name,Z,x,y\n"a, b",3,1.5,-2\n\nc,0,1e2,-0.25\n'


def test_tables_keep_their_other_cells_and_order(tmp_path):
    (tmp_path / "in.csv").write_text(TABLE)
    table = read_points(tmp_path / "in.csv")
    assert table.points.tolist() == [[1.5, -2, 3], [100, -0.25, 0]]
    assert table.points.dtype == torch.float64
    write_points(tmp_path / "out.csv", table._replace(points=table.points + 1), {"units": "mm"})
    text = 'name,Z,x,y\n"a, b",4.000000,2.500000,-1.000000\nc,1.000000,101.000000,0.750000\n'
    assert (tmp_path / "out.csv").read_text() == text
    assert json.loads((tmp_path / "out.csv.json").read_text())["units"] == "mm"
    assert len(list(tmp_path.iterdir())) == 3


def test_tables_without_points(tmp_path):
    (tmp_path / "in.csv").write_text("x,y,z\n")
    assert read_points(tmp_path / "in.csv").points.shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n4,5,6\n", ("no coordinates", "columns 1, 2, 3")),
        ("x,y\n4,5\n", ("no coordinates", "columns x, y")),
        ("x,y,z,X\n4,5,6,7\n", ("no coordinates",)),
        ("\n", ("no coordinates",)),
        ("x,y,z\n1,2,3\n1,2\n", ("ragged", "2 cells in line 3", "3, as in the first line")),
        ("x,y,z\n1,two,3\n", ("no place", "1, two, 3 in line 2")),
        ("x,y,z\n1,nan,3\n", ("no place",)),
        ("x,y,z\n1,inf,3\n", ("no place",)),
        ("x,y,z\n1,,3\n", ("no place",)),
        ("x,y,z\n\0", ("not a text table",)),
    ],
)
def test_bad_tables_are_refused(tmp_path, refused, text, words):
    path = tmp_path / "in.csv"
    path.write_text(text)
    refused(InputFileError, lambda: read_points(path, "sub-1"), path, "sub-1", *words)
