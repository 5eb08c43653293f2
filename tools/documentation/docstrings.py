"""What griffe asks this project when mkdocstrings collects the package: docstrings as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))
from sphinx_markup import markdown  # noqa: E402

__all__ = ["MarkdownDocstrings"]


class MarkdownDocstrings(griffe.Extension):  # type: ignore[misc]
    """Turns the docstring of every object that is collected."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called by griffe."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
