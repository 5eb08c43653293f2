"""Every page of evidence says how it was measured, as its record does."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / "docs" / "evidence"
PAGES = sorted(path.stem for path in EVIDENCE.glob("*.json"))
ROWS = ("command", "data", "seeds", "interval", "peers", "published", "versions", "date")


@pytest.fixture(scope="module")
def page_facts():
    """The module that ends pages, found as when a script of tools/evidence runs."""
    sys.path.append(str(ROOT / "tools" / "evidence"))
    import page_facts

    return page_facts


def record(name):
    """What a page tells of, with the command and the conditions that benchmarks keep apart."""
    found = json.loads((EVIDENCE / f"{name}.json").read_text())
    command = re.search(r"^\| command \| `(.*)` \|$", (EVIDENCE / f"{name}.md").read_text(), re.MULTILINE)[1]
    return {"command": command, **found, **(found["conditions"] if "cases" in found else {})}


def test_every_page_is_described_and_no_other(page_facts):
    assert sorted(page_facts.PAGES) == PAGES == sorted({path.stem for path in EVIDENCE.glob("*.md")} - {"index"})


@pytest.mark.parametrize("name", PAGES)
def test_page_says_how_it_was_measured(name, page_facts):
    text = (EVIDENCE / f"{name}.md").read_text()
    said = dict(re.findall(r"^\| (\w+) \| (.+) \|$", text.split("## How it was measured")[1], re.MULTILINE))
    assert [row for row in ROWS if not said.get(row, "").strip()] == []
    assert text.endswith("\n".join([*page_facts.facts(name, record(name)), ""])), "not what its record says"


@pytest.mark.parametrize("name", PAGES)
def test_numbers_of_a_page_are_in_its_record(name, page_facts):
    assert [label for label, values in page_facts.numbers(name, record(name)).items() if not values] == []


@pytest.mark.parametrize("name", PAGES)
def test_command_of_a_page_is_the_one_that_make_evidence_runs(name, page_facts):
    words = record(name)["command"].removesuffix(" --evidence").split()[2:]
    assert " ".join(words) == page_facts.PAGES[name]["full"]


@pytest.mark.parametrize("name", PAGES)
def test_quick_form_has_switches_that_its_script_knows(name, page_facts):
    script = "benchmark" if name.endswith("_speed") else f"evidence/{name}"
    source, page = (ROOT / "tools" / f"{script}.py").read_text(), page_facts.PAGES[name]
    switches = re.findall(r"--[\w-]+", f"{page['quick']} {page['full']}")
    assert [switch for switch in switches if f'"{switch}"' not in source] == []
    if "after" in page:
        assert list(page_facts.PAGES).index(page["after"]) < list(page_facts.PAGES).index(name)
