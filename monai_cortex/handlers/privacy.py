"""What may leave the data folder: no absolute path, no user, no host, no name of a folder of data."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

__all__ = ["data_name", "flat_parameters", "host_name", "is_path", "scrub"]

_ROOT = r"(?:file:|~|/|\\\\|[A-Za-z]:[\\/])"
_PATH = re.compile(rf"{_ROOT}|.*(?:[/\\]|\.\.)", re.DOTALL)
_ABSOLUTE = re.compile(rf"{_ROOT}|.*\.\.[/\\]", re.DOTALL)
# Inside a longer text: a quoted absolute path, unless it is appended to something, and a bare one of several parts.
_QUOTED = re.compile(rf"(?<!\+ )(?<!\+)(['\"]){_ROOT}(?:(?!\1).)*\1")
_BARE = re.compile(r"(?<![\w@.'\"/\\])(?:file:/*|~|[A-Za-z]:)?[/\\][^\s'\"/\\]+[/\\][^\s'\"]*")
_REMOVED = "<path>"
_PRIVATE = re.compile(r"(.*_)?(dir|file|folder|path|root|uri|datalist|(?:participant|patient|subject)s?(?:_.*)?)", re.I)
_REFERENCE = ("$", "@", "%")
_LONGEST_TEXT, _LONGEST_LIST = 100, 8


def is_path(text: str) -> bool:
    """Whether a text looks like a path, absolute or relative."""
    return _PATH.match(text) is not None


def scrub(value: Any, key: str = "") -> Any:
    """A copy of a configuration for storage: absolute paths removed, objects replaced by the name of their type.

    Args:
        value: nested mappings and lists.
        key: name of the value; the folder of the data becomes a hash.
    """
    if isinstance(value, Mapping):
        return {str(name): scrub(part, str(name)) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(part) for part in value]
    if isinstance(value, str):
        return _scrub_text(value, key)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _REMOVED if isinstance(value, PurePath) else f"<{type(value).__name__}>"


def _scrub_text(text: str, key: str) -> str:
    if text.startswith(_REFERENCE):
        return _BARE.sub(_REMOVED, _QUOTED.sub(rf"\1{_REMOVED}\1", text))
    if key == "dataset_dir":
        return data_name(text)
    return _REMOVED if _ABSOLUTE.match(text) else _BARE.sub(_REMOVED, _QUOTED.sub(_REMOVED, text))


def data_name(folder: Any) -> str:
    """A name for a data set that tells nothing but whether it is the same: a hash of what its folder lists.

    Args:
        folder: path of the data; anything else, such as an expression or a component, is called ``default``.
    """
    if not isinstance(folder, (str, PurePath)) or str(folder).startswith(_REFERENCE):
        return "default"
    try:
        listing = "\n".join(sorted(os.listdir(folder)))
    except OSError:
        listing = str(Path(folder).absolute())
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()[:12]}"


def host_name() -> str:
    """Hash of this machine's name, enough to know it again."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]


def flat_parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """Numbers, booleans, short texts and short lists of these, by dotted name.

    Left out: paths, names of folders and subjects, references, expressions, remarks, and all targets but the network's.
    """
    return {re.sub(r"[^\w. -]", "_", name)[:250]: text for name, text in _parameters(config, "")}


def _parameters(config: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        key = f"{place}.{name}" if place else str(name)
        if _is_private(str(name), place):
            continue
        if isinstance(value, Mapping):
            yield from _parameters(value, key)
        elif isinstance(value, (list, tuple)) and (not value or not all(map(_is_scalar, value))):
            yield from _parameters({str(index): part for index, part in enumerate(value)}, key)
        elif isinstance(value, (list, tuple)) and len(value) <= _LONGEST_LIST:
            yield key, str(list(value))
        elif _is_scalar(value):
            yield key, str(value)


def _is_private(name: str, place: str) -> bool:
    if name == "_target_":
        return place not in {"network", "network_def"}
    return name.startswith("_") or _PRIVATE.fullmatch(name) is not None


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and not value.startswith(_REFERENCE) and not is_path(value)
    return isinstance(value, (bool, int, float))
