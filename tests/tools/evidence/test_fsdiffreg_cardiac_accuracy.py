import json

import pytest
import torch


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evidence/fsdiffreg_cardiac_accuracy")


@pytest.fixture
def ways(tool, tmp_path):
    return tool.Methods(tmp_path / "no_weights.pt")


def rows_of(tool, title, method, values):
    return [
        {"set": title, "subject": f"s{n}", "method": method, **dict.fromkeys(tool.SHOWN, value)}
        for n, value in enumerate(values)
    ]


def test_network_is_left_out_without_weights(tool, ways):
    assert [name for name in tool.METHODS if name in ways] == ["none", "demons", "elastix", "optimized"]


def test_optimization_counts_its_time(ways):
    generator = torch.Generator().manual_seed(0)
    image = torch.nn.functional.avg_pool3d(torch.randn(1, 20, 20, 12, generator=generator), 5, 1)
    image = image / image.abs().max()
    item = {"fixed_image": image.roll(1, 1), "moving_image": image, "valid": torch.ones_like(image)}
    item["fixed_image"].affine = torch.eye(4)
    found = ways["optimized"](item)
    assert found.seconds > 0
    assert found.ddf[0, 4:-4, 4:-4].mean().item() == pytest.approx(-1, abs=0.3)  # pull-back
    assert found.inverse[0, 4:-4, 4:-4].mean().item() == pytest.approx(1, abs=0.3)


def test_what_was_measured_is_read_again_unless_weights_change(tool, ways, tmp_path):
    file = tmp_path / "a-none.json"
    file.write_text(json.dumps({"settings": {}, "scores": {"mean5": 0.125}}))
    (row,) = tool.measured({"subject": "a"}, ways, ["none"], tmp_path)
    assert row == {"subject": "a", "method": "none", "mean5": 0.125}
    file.rename(tmp_path / "a-network.json")
    ways.mark = {"weights": "others"}
    with pytest.raises(RuntimeError, match="LoadCardiacPaird"):  # this subject has no images to measure again
        tool.measured({"subject": "a"}, ways, ["network"], tmp_path)


def test_differences_are_those_of_common_hearts(tool):
    rows = rows_of(tool, "simulated", "refined", [2.0] * 8) + rows_of(tool, "simulated", "elastix", [1.5] * 6)
    found = tool.differences([*rows, *rows_of(tool, "ed2es", "none", [9.0])])
    assert {row["method"] for row in found} == {"elastix"}
    assert {(row["pairs"], row["mean"]) for row in found} == {(6, 0.5)}
    assert found[0]["p"] == pytest.approx(2 / 2**6)


def test_page_has_a_row_for_each_method_and_set(tool):
    rows = rows_of(tool, "simulated", "refined", [1.0, 2.0, 3.0]) + rows_of(tool, "simulated", "none", [0.5])
    rows += rows_of(tool, "ed2es", "none", [0.66])
    text = "\n".join(tool.page({"rows": rows, "differences": tool.differences(rows)}))
    assert "| network and refinement | 3 | 2.000 ± 2.484 |" in text
    assert "| none | 1 | 0.660 |" in text
    assert "## 3 simulated hearts" in text
    assert "systole moves to end-diastole" not in text


def test_fields_of_the_optimization_are_kept_by_its_settings(ways):
    assert "iterations" in ways.settings("optimized")["refinement"]
    assert ways.settings("optimized") != ways.settings("refined")
    assert ways.settings("elastix") == {}
