"""Docstrings written for Sphinx as Markdown: formulas between dollar signs, references to code as code."""

from __future__ import annotations

import re
from textwrap import dedent

__all__ = ["markdown"]

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(?P<short>~)?(?P<name>[^`]+)`")
_MATH = re.compile(r":math:`([^`]+)`")
# The formula goes on over blank lines as long as its lines are indented.
_DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. math::(?P<first>[^\n]*)\n(?P<rest>(?:(?: *\n)*(?P=indent) +[^\n]*\n)*)", re.MULTILINE
)


def markdown(text: str) -> str:
    """The Markdown of a docstring."""
    text = _DIRECTIVE.sub(_displayed, text + "\n").rstrip("\n")
    text = _MATH.sub(lambda match: f"${' '.join(match[1].split())}$", text)
    return _ROLE.sub(_named, text)


def _displayed(match: re.Match[str]) -> str:
    lines = [match["first"].strip(), *dedent(match["rest"]).splitlines()]
    formula = " ".join(line.strip() for line in lines if line.strip())
    return f"\n{match['indent']}$$ {formula} $$\n\n"


def _named(match: re.Match[str]) -> str:
    name = "".join(match["name"].split())
    return f"`{name.rpartition('.')[2] if match['short'] else name}`"
