"""One HTML file per run: what went in, what came out, what was checked, and how to do it again.

The file needs nothing but itself: pictures are embedded, there is no script and no request to a network, and a
content security policy forbids both. All text is escaped, absolute paths are shortened to their last part, and the
same report gives the same bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

from monai_cortex.visualize.columns import column_text, is_numeric
from monai_cortex.visualize.report_content import (
    Block,
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
from monai_cortex.visualize.stylesheet import STYLESHEET

__all__ = ["render_collection", "render_report"]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_PNG = b"\x89PNG\r\n\x1a\n"
_PART = r"""[^\s/\\<>"'|:;,()]+"""
# Folders of a path that starts at a root, a drive or an address without host; not of links and relative paths.
_FOLDERS = re.compile(rf"(?:(?<=:)///+|(?<![\w:/.…~-])/|\b[A-Za-z]:[\\/]|(?<![\w\\])\\\\)(?:{_PART}[\\/])+(?={_PART})")


def render_report(report: Report) -> str:
    """Write the report as one HTML page.

    Args:
        report: what to show.

    Returns:
        A complete HTML5 document, to be stored as UTF-8.

    Raises:
        ValueError: if a row does not fit its headings, a picture is no PNG, or a citation's address is no web link.
    """
    sections = {
        "Summary": _status(report.checks, report.errors) + _blocks(report.summary),
        "Inputs": _blocks(report.inputs),
        "Method": _blocks(report.method),
        "Results": _blocks(report.results),
        "Checks": _checks(report.checks),
        "Errors": "".join(map(_failure, report.errors)),
        "How to reproduce": _reproduction(report.reproduction),
        "Citations": "".join(map(_citation, report.citations)),
    }
    return _page(report.title, sections)


def render_collection(title: str, summary: Sequence[Block], chapters: Sequence[Chapter]) -> str:
    """Write several runs as one HTML page: what is common to all, then a section for each.

    Args:
        title: of the page.
        summary: what is common.
        chapters: one a run, each under its own title.

    Returns:
        A complete HTML5 document, to be stored as UTF-8.

    Raises:
        ValueError: as :func:`render_report`.
    """
    checks = [check for chapter in chapters for check in chapter.checks]
    errors = [error for chapter in chapters for error in chapter.errors]
    sections = {"Summary": _status(checks, errors) + _blocks(summary)}
    for chapter in chapters:
        body = _blocks(chapter.blocks) + _checks(chapter.checks)
        sections[chapter.title] = "".join(map(_failure, chapter.errors)) + body
    return _page(title, sections)


def _page(name: str, sections: Mapping[str, str]) -> str:
    links = "".join(f'<a href="#{_anchor(name)}">{name}</a>\n' for name in sections)
    body = "".join(_section(name, content) for name, content in sections.items())
    title = _text(name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLESHEET}</style>\n</head>\n"
        f"<body>\n<header>\n<h1>{title}</h1>\n<nav>\n{links}</nav>\n</header>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    """Escaped text, absolute paths shortened: a report is passed on, the folders of its author are not."""
    return escape(_FOLDERS.sub("…/", str(value)))


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _section(name: str, content: str) -> str:
    filled = content or '<p class="none">None.</p>\n'
    return f'<section id="{_anchor(name)}">\n<h2>{name}</h2>\n{filled}</section>\n'


def _status(checks: Sequence[Check], errors: Sequence[Failure]) -> str:
    passed = sum(check.passed for check in checks)
    good = passed == len(checks) and not errors
    kind, mark = ("good", "✓") if good else ("bad", "✗")
    checked = f"{passed} of {len(checks)} checks passed" if checks else "nothing was checked"
    failed = f"{len(errors) or 'no'} error{'' if len(errors) == 1 else 's'}"
    return f'<p class="status {kind}">{mark} {checked}, {failed}</p>\n'


def _blocks(blocks: Sequence[Block]) -> str:
    return "".join(map(_block, blocks))


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return _picture(block)
    if isinstance(block, Facts):
        return _facts(block.values)
    if isinstance(block, Link):
        return f"<p>{_linked(_text(block.text), block)}</p>\n"
    return f"<p>{_text(block)}</p>\n"


def _table(table: Table) -> str:
    if any(len(row) != len(table.headings) for row in table.rows):
        raise ValueError(f"table {table.caption!r}: need {len(table.headings)} cells in each row, one per heading.")
    columns = [[_shown(row[number]) for row in table.rows] for number in range(len(table.headings))]
    marks = [' class="number"' if is_numeric(column) else "" for column in columns]
    texts = zip(*map(column_text, columns), strict=True)
    rows = "".join(f"<tr>{_cells(marks, row, cells)}</tr>\n" for row, cells in zip(texts, table.rows, strict=True))
    return _grid(zip(marks, table.headings, strict=True), rows, table.caption)


def _cells(marks: Sequence[str], row: Sequence[str], cells: Sequence[object]) -> str:
    shown = (_linked(_text(text), cell) for text, cell in zip(row, cells, strict=True))
    return "".join(f"<td{mark}>{text}</td>" for mark, text in zip(marks, shown, strict=True))


def _shown(cell: object) -> object:
    return cell.text if isinstance(cell, Link) else cell


def _linked(text: str, cell: object) -> str:
    if not isinstance(cell, Link):
        return text
    if cell.address.startswith("/") or ":" in cell.address.partition("/")[0]:
        raise ValueError(f"need an address relative to the report, got {cell.address!r}.")
    return f'<a href="{escape(quote(cell.address))}">{text}</a>'


def _grid(headings: Iterable[tuple[str, str]], rows: str, caption: str = "") -> str:
    head = "".join(f'<th scope="col"{mark}>{_text(name)}</th>' for mark, name in headings)
    title = f"<caption>{_text(caption)}</caption>\n" if caption else ""
    return (
        f'<div class="scroll">\n<table>\n{title}<thead>\n<tr>{head}</tr>\n</thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )


def _picture(picture: Picture) -> str:
    if not picture.png.startswith(_PNG):
        raise ValueError(f"picture {picture.caption!r}: need the bytes of a PNG file, got {picture.png[:8]!r}.")
    image = (
        f'<img alt="{_text(picture.alternative or picture.caption)}" '
        f'src="data:image/png;base64,{b64encode(picture.png).decode()}">'
    )
    # A wide figure is small on a page: a click shows its file in full size.
    shown = _linked(image, Link(picture.caption, picture.address)) if picture.address else image
    return f"<figure>\n{shown}\n<figcaption>{_text(picture.caption)}</figcaption>\n</figure>\n"


def _facts(values: Mapping[str, object]) -> str:
    texts = ((name, column_text([value])[0]) for name, value in values.items())
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>\n" for name, text in texts)
    return f"<dl>\n{rows}</dl>\n"


def _checks(checks: Sequence[Check]) -> str:
    rows = "".join(map(_check, sorted(checks, key=lambda check: check.passed)))
    return _grid([("", name) for name in ("Result", "Check", "Reason")], rows) if checks else ""


def _check(check: Check) -> str:
    kind, word = ("good", "✓ passed") if check.passed else ("bad", "✗ failed")
    reason = (check.name, check.reason)
    return f'<tr><td class="mark {kind}">{word}</td>{_cells(("", ""), reason, reason)}</tr>\n'


def _failure(failure: Failure) -> str:
    return f"<h3>{_text(failure.subject)}</h3>\n<pre>{_text(failure.message)}</pre>\n"


def _reproduction(how: Reproduction | None) -> str:
    if how is None:
        return ""
    facts = {"seed": "not fixed" if how.seed is None else str(how.seed), "git revision": how.revision or "unknown"}
    return f"<pre>{_text(how.command)}</pre>\n{_facts({**facts, **how.versions})}"


def _citation(citation: Citation) -> str:
    if citation.address and not re.fullmatch(r"https?://[^\s/]\S*", citation.address):
        raise ValueError(f"need an address that starts with https://, got {citation.address!r}.")
    address = escape(citation.address)
    link = f' <a href="{address}" rel="noreferrer">{address}</a>' if address else ""
    entry = f"<pre>{_text(citation.bibtex)}</pre>\n" if citation.bibtex else ""
    return f"<p>{_text(citation.text)}{link}</p>\n{entry}"
