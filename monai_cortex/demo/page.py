"""One page about all demonstrations: the table of results, then a chapter for each method."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from monai_cortex.data import atomic_path
from monai_cortex.demo.outcome import Outcome, outcome_table
from monai_cortex.visualize import Block, Chapter, Check, Failure, Link, Picture, render_collection

__all__ = ["write_page"]


def write_page(output_dir: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write ``report.html`` about demonstrations whose results lie in folders beside it; gives its path.

    Args:
        output_dir: has one folder a method.
        outcomes: of the methods.
    """
    chapters = [_failed(outcome) if outcome.error else _done(output_dir, outcome) for outcome in outcomes]
    page = output_dir / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    text = render_collection("Demonstration of monai_cortex", [outcome_table(outcomes)], chapters)
    with atomic_path(page) as path:
        path.write_text(text, encoding="utf-8")
    return page


def _failed(outcome: Outcome) -> Chapter:
    blocks = [outcome.data] if outcome.data else []
    return Chapter(outcome.slug, blocks, errors=[Failure(outcome.slug, str(outcome.error))])


def _done(output_dir: Path, outcome: Outcome) -> Chapter:
    # Bundles of other distributions need not write a report.
    report = output_dir / outcome.slug / "report.json"
    record = json.loads(report.read_text()) if report.is_file() else {}
    subjects = [str(row["subject"]) for row in record.get("subjects", ())]
    blocks = [*_blocks(report.parent, outcome, subjects)]
    return Chapter(outcome.slug, blocks, [Check(**check) for check in record.get("checks", ())])


def _blocks(folder: Path, outcome: Outcome, subjects: Sequence[str]) -> Iterator[Block]:
    yield f"{outcome.data}."
    if outcome.finding is not None and outcome.finding.result:
        found = outcome.finding
        yield f"Result: {found.result}, {found.quantity}, beside {found.before}, in {outcome.seconds:.0f} s."
    for subject in subjects:
        picture = folder / subject / "qc.png"
        if picture.is_file():
            yield Picture(
                picture.read_bytes(), f"Subject {subject}.", f"maps of {subject}", f"{folder.name}/{subject}/qc.png"
            )
    if (folder / "report.html").is_file():
        yield Link("All numbers, the method, how to reproduce, citations", f"{folder.name}/report.html")
