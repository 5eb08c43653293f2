"""The config that a bundle runs with, from the command line: components cannot see the config they are part of."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

__all__ = ["running_config"]

_OPTION = "--"
_NOT_OVERRIDES = ("config_file", "meta_file", "args_file", "logging_file", "workflow_type", "tracking")


def running_config() -> dict[str, Any]:
    """Config files and overrides of ``python -m monai.bundle run``, merged; empty for every other program."""
    program, *words = sys.argv
    if Path(program).parts[-3:] != ("monai", "bundle", "__main__.py") or words[:1] != ["run"]:
        return {}
    options = _options(words[1:])
    try:
        return _merge(options)
    except Exception:  # the run itself reports what is wrong with its config
        return {}


def _merge(options: dict[str, Any]) -> dict[str, Any]:
    if "args_file" in options:
        options = {**ConfigParser.load_config_file(options["args_file"]), **options}
    files = options.get("config_file") or []
    files = [files] if isinstance(files, str) else list(files)
    parser = ConfigParser()
    parser.read_config(files)
    metadata = Path(files[0]).with_name("metadata.json") if files else None
    if metadata is not None and metadata.is_file():
        parser.read_meta(str(metadata))
    parser.update({name: value for name, value in options.items() if name not in _NOT_OVERRIDES})
    return parser.get()


def _options(words: Sequence[str]) -> dict[str, Any]:
    """Options as ``--name value`` or ``--name=value``; an option without a value is true."""
    found: dict[str, Any] = {}
    for word, following in zip(words, [*words[1:], _OPTION], strict=True):
        if not word.startswith(_OPTION):
            continue
        name, equals, value = word.removeprefix(_OPTION).partition("=")
        lonely = following.startswith(_OPTION)
        found[name] = _literal(value) if equals else True if lonely else _literal(following)
    return found


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
