"""What mkdocs asks this project while it builds the site: further pages, links, formulas, and nothing from outside."""

from __future__ import annotations

import logging
import re
from html import unescape
from importlib.metadata import files as installed_files
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File
from site_pages import borrowed_files, expand_navigation, reference_pages, relink

ROOT = Path(__file__).resolve().parents[2]
# Browsers draw roots, brackets and letters of formulas by a mathematical font; few systems have one. STIX Two is free.
FONT = next(
    Path(str(file.locate())) for file in installed_files("ziamath") or () if file.name == "STIXTwoMath-Regular.ttf"
)
_log = logging.getLogger("mkdocs.hooks")
_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<formula>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
# Bars over terms: an accent does not stretch in every browser, a line above does.
_BAR = re.compile(r"<mover>(?P<term>(?:(?!<mover>).)*?)<mo accent=\"true\">&#x02015;</mo></mover>")
# What a browser would fetch by itself; a link that a reader may follow is none.
_FETCHED = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)="(?:https?:)?//[^"]*"[^>]*>')
_HARMLESS = re.compile(r'rel="(?:canonical|prev|next)"')


def on_config(config: Any) -> Any:
    """Replace the patterns of the navigation by pages."""
    config.nav = expand_navigation(config.nav, _pages(Path(config.docs_dir)))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that do not lie below docs/."""
    for source, place in borrowed_files(ROOT).items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for place, text in reference_pages(ROOT / "monai_cortex").items():
        files.append(File.generated(config, place, content=text))
    files.append(File.generated(config, f"stylesheets/{FONT.name}", abs_src_path=str(FONT)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links between files become links between pages."""
    return relink(markdown, page.file.src_uri, borrowed_files(ROOT))


def on_page_content(html: str, **_: Any) -> str:
    """Formulas become MathML, which browsers draw by themselves."""
    return _FORMULA.sub(_drawn, html)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Name what would be loaded from another server; in a strict build that is an error."""
    for match in _FETCHED.finditer(output):
        if not _HARMLESS.search(match[0]):
            _log.warning("%s loads from outside: %s", page.file.src_uri, match[0])
    return output


def _pages(docs: Path) -> list[str]:
    own = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md")]
    others = [*borrowed_files(ROOT).values(), *reference_pages(ROOT / "monai_cortex")]
    return own + [name for name in others if name.endswith(".md")]


def _drawn(match: re.Match[str]) -> str:
    # The calligraphic N of normal distributions: browsers know the letter, not the variant.
    latex = unescape(match["formula"]).replace(r"\mathcal N", "\N{MATHEMATICAL SCRIPT CAPITAL N}")
    formula = convert(latex, display="block" if match["open"] == "[" else "inline")
    return _BAR.sub(r'<mrow class="bar">\g<term></mrow>', formula)
