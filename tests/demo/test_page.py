import json
import re

import pytest

from monai_cortex.demo import Finding
from monai_cortex.demo.outcome import Outcome
from monai_cortex.demo.page import write_page
from monai_cortex.errors import CortexError
from monai_cortex.visualize import new_figure, png


@pytest.fixture
def page(tmp_path):
    """A method with one subject, and one that has failed."""
    picture = png(new_figure(1, 1))
    (tmp_path / "one" / "s1").mkdir(parents=True)
    (tmp_path / "one" / "s1" / "qc.png").write_bytes(picture)
    (tmp_path / "one" / "report.html").write_text("all of it")
    check = {"name": "s1: folds", "passed": False, "reason": "3, at most 0"}
    (tmp_path / "one" / "report.json").write_text(json.dumps({"subjects": [{"subject": "s1"}], "checks": [check]}))
    good = Outcome("one", 12.4, Finding("Dice overlap", "0.90", "0.63 (before)"), data="A heart")
    bad = Outcome("two", 1.0, error=CortexError("weights are lost", remedy="fetch them"), data="A brain")
    return write_page(tmp_path, [good, bad]).read_text(encoding="utf-8")


def test_page_has_a_table_and_a_chapter_for_each_method(page):
    assert re.findall(r"<h2>(\w+)</h2>", page) == ["Summary", "one", "two"]
    text = re.sub(r"<[^>]*>", " ", page)
    assert re.search(r"one\s+Dice overlap\s+0\.90\s+0\.63 \(before\)\s+12\s+done", text)
    assert "A heart." in text
    assert "Result: 0.90, Dice overlap, beside 0.63 (before), in 12 s." in text
    assert "0 of 1 checks passed, 1 error" in text
    assert "3, at most 0" in text


def test_figure_leads_to_its_file_and_the_chapter_to_the_methods_own_report(page):
    assert re.findall(r'<a href="(one/[^"]*)">', page) == ["one/s1/qc.png", "one/report.html"]


def test_method_that_writes_no_report_has_a_chapter_without_one(tmp_path):
    text = write_page(tmp_path, [Outcome("one", 1.0, Finding("see its folder"), data="A heart")]).read_text()
    assert "A heart." in text
    assert 'href="one' not in text


def test_failure_is_shown_with_its_remedy(page):
    chapter = page[page.index('<section id="two">') :]
    assert "A brain" in chapter
    assert "weights are lost" in chapter
    assert "remedy: fetch them" in chapter
