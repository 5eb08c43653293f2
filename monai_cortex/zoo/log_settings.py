"""``logging.conf``: applied before anything else of a bundle, so it may write to the screen and nowhere else."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

from .config_tree import Finding

__all__ = ["unsafe_log_settings"]

# As they stand in the file; whatever is written otherwise, by interpolation for one, is not on the list.
_ALLOWED = {
    "class": re.compile(r"(logging\.)?(StreamHandler|NullHandler|Formatter)"),
    "args": re.compile(r"\(\s*(sys\.(stdout|stderr)\s*,?)?\s*\)"),
    "kwargs": re.compile(r"\{\s*(['\"]stream['\"]\s*:\s*sys\.(stdout|stderr))?\s*\}"),
}


def unsafe_log_settings(path: Path) -> Iterator[Finding]:
    """Handlers that write to files, sockets or mail, each with the section; the file is not applied."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        yield Finding("file", " ".join(str(error).split())[:120], "a logging configuration", "correct it")
        return
    for section in parser.sections():
        for option, pattern in _ALLOWED.items():
            value = parser.get(section, option, fallback="").strip()
            if value and not pattern.fullmatch(value):
                where, what = f"[{section}] {option}", f"{option} = {value}"
                yield Finding(where, what, "a StreamHandler of sys.stdout or sys.stderr", "log to the screen")
