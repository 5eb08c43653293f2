"""Documents do not drift: pages are reachable, links and anchors resolve, examples in Python import what exists."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
OUTSIDE = ("http://", "https://", "mailto:")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "bundles/*/docs/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.fixture(scope="module")
def site():
    """The module that knows the pages of the site, found as when mkdocs loads its hooks."""
    sys.path.append(str(ROOT / "tools" / "documentation"))
    return importlib.import_module("site_pages")


def anchor(heading):
    """The anchor of a heading, as the site and code hosts make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def anchors(path):
    return {anchor(heading) for heading in HEADING.findall(FENCED.sub("", path.read_text()))}


def broken_links(path, generated=()):
    """Links of a document that lead to no file, no generated page, or no heading."""
    found = []
    for link in LINK.findall(FENCED.sub("", path.read_text())):
        if link.startswith(OUTSIDE):
            continue
        name, _, place = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if target in generated:
            continue
        if not target.is_file() or (place and place not in anchors(target)):
            found.append(link)
    return found


def pages(site):
    """All pages of the site: own, borrowed and generated."""
    docs = ROOT / "docs"
    own = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    others = {*site.borrowed_files(ROOT).values(), *site.reference_pages(ROOT / "monai_cortex")}
    return own | {name for name in others if name.endswith(".md")}


def texts(entries):
    """All pages that a navigation names."""
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [text for entry in values for text in texts(entry)]


def test_navigation_names_every_page_once_and_nothing_else(site):
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    named = texts(site.expand_navigation(navigation, sorted(pages(site))))
    assert sorted(named) == sorted(pages(site))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_anchors_resolve(name, site):
    generated = {ROOT / "docs" / page for page in site.reference_pages(ROOT / "monai_cortex")}
    assert broken_links(ROOT / name, generated) == []


def test_broken_links_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# A `name`: of it\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#a-name-of-it) [b](there.md#no-heading) [c](gone.md) [d](#own) [e](https://x.org)\n# Own\n"
    )
    assert broken_links(page) == ["there.md#no-heading", "gone.md"]
    assert broken_links(page, {tmp_path / "gone.md"}) == ["there.md#no-heading"]


def test_index_of_evidence_names_every_page():
    folder = ROOT / "docs" / "evidence"
    named = set(LINK.findall((folder / "index.md").read_text()))
    assert {path.name for path in folder.glob("*.md")} - {"index.md"} <= named


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if PYTHON.search((ROOT / name).read_text())])
def test_python_examples_import_what_exists(name):
    for example in PYTHON.findall((ROOT / name).read_text()):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("monai_cortex"):
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_pages_load_nothing_from_outside(name):
    """A link to elsewhere is for the reader to follow; a picture or a script would be fetched by the browser."""
    text = FENCED.sub("", (ROOT / name).read_text())
    assert re.findall(r"!\[[^\]]*\]\((?:https?:)?//[^)]*\)|<script|<iframe|<img", text) == []
