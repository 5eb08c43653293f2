import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from monai_cortex.visualize.canvas import new_figure, png
from monai_cortex.visualize.report import render_collection, render_report
from monai_cortex.visualize.report_content import (
    Chapter,
    Check,
    Citation,
    Facts,
    Failure,
    Link,
    Picture,
    Report,
    Reproduction,
    Table,
)

EVIL = "<script>alert('x' & \"y\")</script>"
VOID = {"meta", "img", "br", "hr", "link", "input"}
HEADINGS = ["Summary", "Inputs", "Method", "Results", "Checks", "Errors", "How to reproduce", "Citations"]


class Walk(HTMLParser):
    """Collects what a browser would see, and fails where tags do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def report():
    return Report(
        title="Two subjects",
        summary=("All is well.", Facts({"device": "cpu", "duration (min)": 2.5})),
        inputs=(Table(("Subject", "Directions"), (("sub-01", 64),)),),
        method=("Spherical deconvolution.",),
        results=(
            Table(("Stage", "Angular error (deg)"), (("before", 23.2), ("after", 6.53)), "Phantom."),
            Picture(png(new_figure(1, 1)), "A picture."),
        ),
        checks=(Check("unit vectors", True, "1e-6"), Check("residual", False, "15.8 % above 10 %")),
        errors=(Failure("sub-03", "63 directions\n  expected: 64"),),
        reproduction=Reproduction("python -m monai.bundle run", {"torch": "2.13"}, 7, "abc123"),
        citations=(Citation("Elaldi 2024.", "@article{e}", "https://arxiv.org/abs/2411.11819"),),
    )


def test_tags_are_balanced_and_all_sections_are_there(report):
    walk = Walk(render_report(report))
    assert [text for text in walk.text if text in HEADINGS][len(HEADINGS) :] == HEADINGS
    targets = {attributes["id"] for attributes in walk.attributes("section")}
    inner = [a["href"][1:] for a in walk.attributes("a") if a["href"].startswith("#")]
    assert set(inner) == targets


def test_empty_report_is_complete_too():
    walk = Walk(render_report(Report("Nothing")))
    assert walk.text.count("None.") == len(HEADINGS) - 1
    assert "✓ nothing was checked, no errors" in walk.text


def test_same_report_gives_same_page(report):
    assert render_report(report) == render_report(replace(report))


def test_every_text_is_escaped():
    page = render_report(
        Report(
            EVIL,
            (EVIL, Facts({EVIL: EVIL}), Table((EVIL,), ((EVIL,),), EVIL), Picture(png(new_figure(1, 1)), EVIL, EVIL)),
            checks=(Check(EVIL, True, EVIL),),
            errors=(Failure(EVIL, EVIL),),
            reproduction=Reproduction(EVIL, {EVIL: EVIL}, None, EVIL),
            citations=(Citation(EVIL, EVIL),),
        )
    )
    walk = Walk(page)
    assert "<script" not in page
    assert sum(EVIL in text for text in walk.text) == 19
    assert walk.attributes("img")[0]["alt"] == EVIL


def test_page_loads_nothing_and_runs_nothing(report):
    page = render_report(report)
    walk = Walk(page)
    loaded = [a.get("src") or a.get("srcset") or a.get("data") for tag, a in walk.tags if tag != "a"]
    assert all(source.startswith("data:image/png;base64,") for source in loaded if source)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in walk.tags}
    assert not re.search(r"@import|url\(", page)
    assert not any(name.startswith("on") for _, attributes in walk.tags for name in attributes)
    outside = [a["href"] for a in walk.attributes("a") if not a["href"].startswith("#")]
    assert outside == ["https://arxiv.org/abs/2411.11819"]
    policy = next(a["content"] for a in walk.attributes("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_picture_is_embedded_unchanged(report):
    source = Walk(render_report(report)).attributes("img")[0]["src"]
    assert base64.b64decode(source.partition(",")[2]) == report.results[1].png


def test_numbers_are_aligned_to_the_right_under_their_heading(report):
    page = render_report(report)
    assert '<th scope="col" class="number">Angular error (deg)</th>' in page
    assert '<tr><td>before</td><td class="number">23.2</td></tr>' in page
    assert '<th scope="col">Stage</th>' in page


def test_failed_checks_come_first_and_set_the_status(report):
    text = Walk(render_report(report)).text
    assert "✗ 1 of 2 checks passed, 1 error" in text
    assert text.index("✗ failed") < text.index("residual") < text.index("✓ passed") < text.index("unit vectors")
    good = Walk(render_report(replace(report, checks=report.checks[:1], errors=())))
    assert "✓ 1 of 1 checks passed, no errors" in good.text


def test_command_versions_seed_and_revision_are_written(report):
    text = Walk(render_report(report)).text
    assert {"python -m monai.bundle run", "torch", "2.13", "7", "abc123"} <= set(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in: /home/me/data/dwi.bvec (subject a)", "in: …/dwi.bvec (subject a)"),
        ("--output_dir=/home/me/out/", "--output_dir=…/out/"),
        ("sqlite:////home/me/mlruns.db", "sqlite:…/mlruns.db"),
        ("file:///home/me/x", "file:…/x"),
        (r"C:\Users\me\x.nii", "…/x.nii"),
        (r"\\server\share\x.nii", "…/x.nii"),
        ("'/home/me/x'", "'…/x'"),
        ("https://doi.org/10.1000/a/b", "https://doi.org/10.1000/a/b"),
        ("sub-01/surf/lh.white and ../a/b", "sub-01/surf/lh.white and ../a/b"),
        ("b = 1000 s/mm², 1/2/3, A/P", "b = 1000 s/mm², 1/2/3, A/P"),
    ],
)
def test_absolute_paths_lose_their_folders(text, shown):
    assert shown in Walk(render_report(Report("Title", (text,)))).text


def test_row_must_fit_its_headings():
    with pytest.raises(ValueError, match="need 2 cells in each row"):
        render_report(Report("Title", (Table(("a", "b"), ((1,),)),)))


def test_picture_must_be_a_png():
    with pytest.raises(ValueError, match="need the bytes of a PNG"):
        render_report(Report("Title", (Picture(b"<svg/>", "figure"),)))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//host/x", "https:// x"])
def test_citation_must_link_to_the_web(address):
    with pytest.raises(ValueError, match="need an address that starts with https"):
        render_report(Report("Title", citations=(Citation("text", "", address),)))


def test_cell_may_lead_to_a_file_beside_the_report():
    table = Table(
        ["subject", "n"], [[Link(f"sub-1 {EVIL}", './pages/sub-1 "x".html'), 1], [Link("a:b", "./a:b.html"), 2]]
    )
    page = render_report(Report("t", results=[table]))
    links = [attributes["href"] for tag, attributes in Walk(page).tags if tag == "a"]
    assert links[-2:] == ["./pages/sub-1%20%22x%22.html", "./a%3Ab.html"]
    assert "<script" not in page


@pytest.mark.parametrize("address", ["https://example.org/a", "javascript:alert(1)", "/etc/passwd", "file:///a"])
def test_cell_leads_nowhere_else(address):
    with pytest.raises(ValueError, match="relative"):
        render_report(Report("t", results=[Table(["a"], [[Link("x", address)]])]))


def test_collection_has_a_section_for_each_run_and_counts_over_all():
    good = Chapter("one", ["All is well.", Link("more", "one/report.html")], [Check("a", True), Check("b", True)])
    bad = Chapter("two", errors=[Failure("two", "weights are lost\n  remedy: fetch them")])
    walk = Walk(render_collection("Several", [Table(("method",), (("one",),))], [good, bad]))
    assert [a["id"] for a in walk.attributes("section")] == ["summary", "one", "two"]
    assert "✗ 2 of 2 checks passed, 1 error" in walk.text
    assert any("remedy: fetch them" in text for text in walk.text)
    assert {"href": "one/report.html"} in walk.attributes("a")


@pytest.mark.parametrize("address", ["/etc/passwd", "javascript:alert(1)", "https://elsewhere"])
def test_paragraph_leads_nowhere_but_to_files_beside_the_report(address):
    with pytest.raises(ValueError, match="relative to the report"):
        render_collection("Several", [Link("more", address)], [])


def test_picture_with_an_address_leads_to_its_file():
    page = render_report(Report("One", results=[Picture(png(new_figure(1, 1)), "Maps.", "maps", "s 1/qc.png")]))
    (link,) = [a for a in Walk(page).attributes("a") if not a["href"].startswith("#")]
    assert link["href"] == "s%201/qc.png"
