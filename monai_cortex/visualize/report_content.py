"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "Block",
    "Chapter",
    "Check",
    "Citation",
    "Facts",
    "Failure",
    "Link",
    "Picture",
    "Report",
    "Reproduction",
    "Table",
]


@dataclass(frozen=True)
class Table:
    """Rows under headings that name quantity and unit; columns of numbers are aligned to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


@dataclass(frozen=True)
class Link:
    """A paragraph, or a cell of a table, that leads to another file of the same output folder.

    Attributes:
        text: shown.
        address: relative to the report, without a scheme; characters that addresses cannot hold are encoded.
    """

    text: str
    address: str


@dataclass(frozen=True)
class Picture:
    """A PNG file with its caption, a text for those who cannot see it, and where it lies, relative to the report."""

    png: bytes
    caption: str
    alternative: str = ""
    address: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    values: Mapping[str, object]


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and the reason of the verdict."""

    name: str
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A subject that could not be processed, and its message."""

    subject: str
    message: str


@dataclass(frozen=True)
class Reproduction:
    """What is needed to repeat the run."""

    command: str
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    revision: str = ""


@dataclass(frozen=True)
class Citation:
    """A work to be cited; the address, if any, starts with http:// or https://."""

    text: str
    bibtex: str = ""
    address: str = ""


Block = str | Table | Picture | Facts | Link


@dataclass(frozen=True)
class Report:
    """Content of the report, in the order of its sections; a plain string is a paragraph."""

    title: str
    summary: Sequence[Block] = ()
    inputs: Sequence[Block] = ()
    method: Sequence[Block] = ()
    results: Sequence[Block] = ()
    checks: Sequence[Check] = ()
    errors: Sequence[Failure] = ()
    reproduction: Reproduction | None = None
    citations: Sequence[Citation] = ()


@dataclass(frozen=True)
class Chapter:
    """What a page about several runs tells of one of them."""

    title: str
    blocks: Sequence[Block] = ()
    checks: Sequence[Check] = ()
    errors: Sequence[Failure] = ()
