"""Pages of the documentation site: which there are, where they lie, and how they link to each other.

Pages are written to be read in the repository too: a link leads from file to file, below docs/ or not. Some files
beside docs/ are pages of the site as well, and a page of the reference is made of each part of the package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

__all__ = ["borrowed_files", "expand_navigation", "reference_pages", "relink", "repository_path", "site_path"]

DOCS = "docs"
_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
_BUNDLE = "bundles/{}/docs"
# The command line and the demonstrations are used by commands, not imported.
_NOT_IMPORTED = ("commands", "demo")
_LINK = re.compile(r"(?P<start>!?\[[^\]]*\]\()(?P<target>[^)\s#]+)(?P<rest>[)\s#])")
_OUTSIDE = ("http://", "https://", "mailto:")


def borrowed_files(root: Path) -> dict[str, str]:
    """Files beside docs/ that the site shows: path in the repository to path in the site."""
    found = {name: page for name, page in _PAGES.items() if (root / name).is_file()}
    for bundle in sorted(path for path in (root / "bundles").iterdir() if (path / "docs").is_dir()):
        folder = _BUNDLE.format(bundle.name)
        names = sorted(path.name for path in (root / folder).iterdir() if path.suffix in (".md", ".png"))
        # Not under the name README, which mkdocs takes for the index of a section.
        pages = {name: f"{bundle.name}.md" if name == "README.md" else name for name in names}
        found |= {f"{folder}/{name}": f"bundles/{bundle.name}/{page}" for name, page in pages.items()}
    return found


def site_path(path: str, borrowed: dict[str, str]) -> str | None:
    """Path in the site of a path in the repository; None for what is not in the site."""
    return path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") else borrowed.get(path)


def repository_path(page: str, borrowed: dict[str, str]) -> str:
    """Path in the repository of a page's path in the site."""
    return next((path for path, own in borrowed.items() if own == page), f"{DOCS}/{page}")


def relink(text: str, page: str, borrowed: dict[str, str]) -> str:
    """The text of a page with its links between files turned into links between pages of the site."""
    home = PurePosixPath(repository_path(page, borrowed)).parent

    def turned(match: re.Match[str]) -> str:
        target = match["target"]
        if target.startswith(_OUTSIDE):
            return match[0]
        place = site_path(normpath(str(home / target)), borrowed)
        # What is not in the site stays as it is: a strict build names it.
        return (
            match[0]
            if place is None
            else match["start"] + relpath(place, str(PurePosixPath(page).parent)) + match["rest"]
        )

    return _LINK.sub(turned, text)


def reference_pages(package: Path) -> dict[str, str]:
    """A page of the reference for each part of a package: path in the site to text, mkdocstrings' directives."""
    folders = sorted(path.parent for path in package.glob("*/__init__.py"))
    parts = {folder.name: folder for folder in folders if folder.name not in _NOT_IMPORTED}
    files = {path.stem: path for path in sorted(package.glob("*.py")) if not path.name.startswith("_")}
    pages = {}
    for name, path in sorted((parts | files).items()):
        modules = sorted(_modules(path, package.parent))
        lines = [f"# {package.name}.{name}", ""]
        lines += [f"::: {module}\n" for module in modules]
        pages[f"api/{name}.md"] = "\n".join(lines)
    return pages


def _modules(path: Path, root: Path) -> Iterator[str]:
    """Dotted names of the modules of a file or folder; of a package itself only where nothing is below it."""
    files = [path] if path.is_file() else [file for file in path.rglob("*.py") if not file.name.startswith("_")]
    for file in files:
        yield ".".join(file.relative_to(root).with_suffix("").parts)


def expand_navigation(navigation: list[Any], pages: list[str]) -> list[Any]:
    """A navigation whose patterns, such as ``reliability/*.md``, are replaced by the pages that nothing else names.

    Args:
        navigation: as mkdocs.yml has it: texts, and dictionaries of a title and a text or a list.
        pages: paths of all pages in the site.

    Returns:
        The same without patterns; a section that is left empty is left out.
    """
    named = {text for text in _texts(navigation) if "*" not in text}
    free = sorted(set(pages) - named)

    def matching(pattern: str) -> list[str]:
        # A pattern is for one folder, as in a shell.
        own = [page for page in free if page.count("/") == pattern.count("/") and fnmatch(page, pattern)]
        free[:] = [page for page in free if page not in own]
        return own

    return _expanded(navigation, matching)


def _expanded(entries: list[Any], matching: Callable[[str], list[str]]) -> list[Any]:
    result: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            result += matching(entry) if "*" in entry else [entry]
            continue
        ((title, content),) = entry.items()
        inner = _expanded(content, matching) if isinstance(content, list) else content
        result += [{title: inner}] if inner else []
    return result


def _texts(entries: Any) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for content in entries.values():
            yield from _texts(content)
    else:
        for entry in entries:
            yield from _texts(entry)
