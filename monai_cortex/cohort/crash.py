"""Why a subject has failed, as text that may be passed on: no user, no host, no folder above the data set."""

from __future__ import annotations

import getpass
import re
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.errors import CortexError

__all__ = ["crash_text", "frames", "private_text", "root_error"]

_BARE = re.compile(r"(?<![\w.…>/-])(?:file://)?(?:/[^\s/'\"<>|:;,()]+)+/(?=[^\s/'\"<>|:;,()])")
_PACKAGES = re.compile(r".*[\\/](?:site-packages|dist-packages|lib[\\/]python3\.\d+)[\\/]")
_SHORTEST_NAME = 3  # a user of two letters is found in every text


def frames(error: BaseException) -> list[str]:
    """Where an error was raised, outermost first: module files without the folder they are installed in, and lines."""
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        root = Path(__file__).parents[1]
        file = Path(frame.filename)
        name = f"monai_cortex/{file.relative_to(root).as_posix()}" if root in file.parents else frame.filename
        found.append(f"{_PACKAGES.sub('', name)}:{frame.lineno} in {frame.name}: {frame.line}")
    return found


def root_error(error: BaseException) -> BaseException:
    """The first error of ours in a chain of causes, or the error itself: MONAI's parser wraps what goes wrong."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, CortexError):
            return link
        link = link.__cause__ or link.__context__
    return error


def private_text(text: str, folders: Mapping[str, str | Path]) -> str:
    """A text without absolute paths, the user's name and the host's name.

    Args:
        text: such as an error's message.
        folders: paths by the name that they get instead, in brackets.
    """
    for name, folder in sorted(folders.items(), key=lambda pair: -len(str(pair[1]))):
        for path in {str(folder), str(Path(folder).absolute()), str(Path(folder).resolve())}:
            if len(path) > 1:
                text = text.replace(path, f"<{name}>")
    text = _BARE.sub("…/", text.replace(sys.prefix, "<python>"))
    for name, word in (("user", _user()), ("host", socket.gethostname())):
        if len(word) >= _SHORTEST_NAME:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", f"<{name}>", text)
    return text


def crash_text(subject: str, message: str, where: Sequence[str], facts: Mapping[str, Any]) -> str:
    """Content of a crash file.

    Args:
        subject: identifier.
        message: of the error, with its class.
        where: lines of :func:`frames`, or the last words of a process that died.
        facts: about the run, one a line.
    """
    lines = [f"subject: {subject}", *(f"{name}: {value}" for name, value in facts.items()), "", message]
    if where:
        lines += ["", "where, outermost first:", *(f"  {line}" for line in where)]
    return "\n".join(lines) + "\n"


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        return ""
    return "" if name == "root" else name  # a word, and everybody's
