import pytest
from click.testing import CliRunner

from monai_cortex.data import write_json


@pytest.fixture
def tool(load_tool, monkeypatch):
    monkeypatch.syspath_prepend("tools/evidence")
    return load_tool("evidence/__main__")


@pytest.fixture
def page(tool, tmp_path, monkeypatch):
    """A page whose script writes what it is told; the committed numbers are around 3."""
    (tmp_path / "committed").mkdir()
    (tmp_path / "tools" / "evidence").mkdir(parents=True)
    script = "import json, os, sys\nfrom pathlib import Path\nimport time\ntime.sleep(float(sys.argv[2]))\n"
    script += "place = Path(os.environ['MONAI_CORTEX_EVIDENCE']) / 'page.json'\n"
    script += "place.write_text(json.dumps({'values': [float(sys.argv[1])] * 2}))\n"
    (tmp_path / "tools" / "evidence" / "page.py").write_text(script)
    write_json(tmp_path / "committed" / "page.json", {"values": [2.9, 3.0, 3.1, 3.0]})
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "EVIDENCE", tmp_path / "committed")

    def measure(words, *options):
        pages = {"page": {"full": "7 0", "quick": words, "numbers": {"value": "values/*"}}}
        monkeypatch.setattr(tool, "PAGES", pages)
        monkeypatch.setitem(tool.numbers.__globals__, "PAGES", pages)
        return CliRunner().invoke(tool.main, ["--output-dir", str(tmp_path / "out"), *options])

    return measure


def test_a_number_that_agrees_and_one_that_does_not(page, tmp_path):
    before = (tmp_path / "committed" / "page.json").read_bytes()
    agrees, differs = page("3.05 0"), page("4 0")
    assert agrees.exit_code == 0, agrees.output
    assert "3.05 agrees with 3 +-" in agrees.output
    assert differs.exit_code == 1
    assert "4 DIFFERS from 3" in differs.output
    assert "| page |" in (tmp_path / "out" / "summary.md").read_text()
    assert (tmp_path / "committed" / "page.json").read_bytes() == before


def test_scripts_that_fail_or_take_too_long_are_named(page):
    assert "failed, see page.log" in page("words 0").output
    late = page("3 60", "--minutes", "0.01")
    assert "not reached to its end" in late.output
    assert late.exit_code == 1
    assert "not reached:" in page("3 0", "--minutes", "0").output


def test_full_form_writes_where_it_compares(page, tmp_path):
    page("3 0", "--full")
    assert (tmp_path / "committed" / "page.json").read_text() == '{"values": [7.0, 7.0]}'
