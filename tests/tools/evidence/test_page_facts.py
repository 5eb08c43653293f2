import pytest

RECORD = {
    "command": "python x.py",
    "date": "2026-01-01",
    "versions": {"torch": "2"},
    "rows": [
        {"set": "a", "method": "ours", "dice": 0.5},
        {"set": "a", "method": "theirs", "dice": 0.1},
        {"set": "b", "method": "ours", "dice": 0.7},
        {"set": "b", "method": "ours", "dice": None},
    ],
    "runs": {"0.5": [{"error": 1}, {"error": 3}]},
}


@pytest.fixture
def tool(load_tool, monkeypatch):
    monkeypatch.syspath_prepend("tools/evidence")
    return load_tool("evidence/page_facts")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("rows/set=a/method=ours/dice", [0.5]),
        ("rows/method=ours/dice", [0.5, 0.7]),
        ("rows/*/dice", [0.5, 0.1, 0.7]),
        ("runs/0.5/*/error", [1, 3]),
        ("runs/0.6/*/error", []),
        ("rows/method=nobody's/dice", []),
        ("date", []),
    ],
)
def test_numbers_are_found(tool, path, values):
    assert tool.values_at(RECORD, path) == values


def test_page_ends_with_what_is_known(tool, monkeypatch):
    about = dict.fromkeys(("data", "seeds", "interval", "peers", "published"), "told")
    numbers = {"dice": "rows/method=ours/dice", "largest error": "runs/0.5/*/error", "gone": "rows/x"}
    monkeypatch.setattr(tool, "PAGES", {"page": about | {"numbers": numbers}})
    lines = tool.facts("page", RECORD)
    assert "| command | `python x.py` |" in lines
    # t(0.975, 1) = 12.706; half the width is that times .1.
    assert lines[-2:] == ["| dice | 0.6 | -0.6706 to 1.871 | 2 |", "| largest error | 3 | none | 1 |"]
