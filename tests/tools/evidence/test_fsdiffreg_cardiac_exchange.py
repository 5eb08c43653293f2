import pytest
import torch


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/fsdiffreg_cardiac_exchange")


@pytest.mark.parametrize("grid", ["LPS", "oblique"])
def test_every_reader_warps_as_we_do(tool, grid):
    pytest.importorskip("itk")
    pytest.importorskip("SimpleITK")
    pytest.importorskip("nitransforms")
    rows = tool.compared(grid, tool.GRIDS[grid], 0)
    assert len(rows) == len(tool.READERS)
    assert max(row["difference"] for row in rows) < 1e-4
    assert min(row["unwarped"] for row in rows) > 0.1


def test_fields_are_not_all_alike(tool):
    one, two = (tool._smooth(3, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert one.abs().max() == two.abs().max() == 1
    assert (one - two).abs().max() > 0.5


def test_inverses_lead_back(tool):
    found = tool.inverted(4.0, 0)
    assert found["highest_displacement"] > 2
    assert found["highest"] < 0.01
    assert found["folds_percent"] == 0
