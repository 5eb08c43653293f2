"""Configs of bundles, JSON or YAML, read so that nothing in them is executed, guessed or dropped."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from monai_cortex.errors import ConfigError

__all__ = ["read_config"]

_LARGEST = 1 << 20  # bytes
_DEEPEST = 64  # levels
_MOST = 100_000  # values, those that aliases repeat included
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
# What YAML takes for something else than its writer: 1e-4 is text to it, 12:30:00 a number, 010 is eight, no is false.
_MISREAD = {
    "a number written as text": re.compile(r"[-+]?(\d+[eE][-+]?\d+|(\d+\.\d*|\.\d+)[eE]\d+)"),
    "a time, which YAML reads as a number": re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?"),
    "a number with leading zeros, which YAML reads as octal": re.compile(r"[-+]?0\d+"),
    "a word that YAML reads as true or false": re.compile(r"yes|no|on|off", re.IGNORECASE),
    "a date": re.compile(r"\d{4}-\d\d?-\d\d?.*"),
}


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a config file as plain values.

    Args:
        path: a JSON or YAML file of at most 1 MB, told apart by its suffix.

    Returns:
        What the file holds: ids with texts, finite numbers, true, false, null, lists and mappings of these.

    Raises:
        ConfigError: naming file and line, if the file is missing, too large, wrongly encoded or malformed, if a key
            stands twice or a number is not finite, if it nests too deeply or repeats itself by aliases beyond all
            bounds, if YAML would build objects or misread a value, or if the whole is no mapping.
    """
    path = Path(path)
    text = _read_text(path)
    content = _read_json(path, text) if path.suffix.lower() == ".json" else _read_yaml(path, text)
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise _refused(path, "the config is no mapping", 1, found, "ids and values")
    return content


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError("the config cannot be read", file=path, found=error.strerror or str(error)) from error
    if len(raw) > _LARGEST:
        raise ConfigError("the config is too large", file=path, expected=f"at most {_LARGEST >> 10} kB of text")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refused(path, "the config is not UTF-8 text", line, f"byte 0x{raw[error.start]:02x}") from error
    if text.startswith("\ufeff"):
        raise _refused(path, "the config starts with a byte-order mark", 1, remedy="save it as UTF-8 without one")
    return text


def _refused(  # noqa: PLR0913
    path: Path, problem: str, line: int, found: str = "", expected: str = "", remedy: str = ""
) -> ConfigError:
    place = f"line {line}: {found}" if found else f"line {line}"
    return ConfigError(problem, file=path, found=place, expected=expected, remedy=remedy)


def _line_of(text: str, pattern: str, number: int = 0) -> int:
    """Line of an occurrence; the first if there are fewer."""
    starts = [match.start() for match in re.finditer(pattern, text)] or [0]
    return text.count("\n", 0, starts[min(number, len(starts) - 1)]) + 1


class _Json:
    """What the JSON reader asks while it reads: whether a key is new, and a number finite."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                line = _line_of(self.text, rf"{re.escape(json.dumps(key))}\s*:", 1)
                raise _refused(self.path, "a key appears twice", line, repr(key), "each key once", "remove one")
            content[key] = value
        return content

    def finite(self, word: str) -> float:
        if math.isfinite(value := float(word)):
            return value
        line = _line_of(self.text, rf"(?<![\w\"]){re.escape(word)}(?![\w\"])")
        raise _refused(self.path, "a number is not finite", line, word, "finite numbers", "write null or a number")


def _read_json(path: Path, text: str) -> Any:
    ask = _Json(path, text)
    try:
        content = json.loads(text, object_pairs_hook=ask.unique, parse_float=ask.finite, parse_constant=ask.finite)
    except json.JSONDecodeError as error:
        raise _refused(path, "the config is not JSON", error.lineno, error.msg, remedy="correct the syntax") from error
    except RecursionError as error:
        raise _too_deep(path, 1) from error
    except ValueError as error:  # an integer of thousands of digits
        raise _refused(path, "the config is not JSON", 1, str(error)[:120]) from error
    if _depth(content) > _DEEPEST:
        raise _too_deep(path, 1)
    return content


def _too_deep(path: Path, line: int) -> ConfigError:
    return _refused(path, "the config nests too deeply", line, expected=f"at most {_DEEPEST} levels")


def _depth(content: Any) -> int:
    depth, level = 0, [content]
    while level and depth <= _DEEPEST:
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list))]
        level = [value for part in parts for value in part]
        depth += 1
    return depth


class _Loader(yaml.SafeLoader):
    """Plain values only, each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} appears twice", key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else repr(key.value))
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path, text: str) -> Any:
    try:
        for event in _bounded(path, yaml.parse(text, Loader=yaml.SafeLoader)):
            _check_event(path, event)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = "a key appears twice" if "appears twice" in str(error.problem) else "the config is not YAML"
        raise _refused(path, problem, mark.line + 1 if mark else 1, " ".join(str(error.problem).split())) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(path, "the config is not YAML", 1, " ".join(str(error).split())[:120]) from error


def _bounded(path: Path, events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """The events, as long as they neither nest too deeply nor grow too large when aliases are written out."""
    sizes: dict[str, int] = {}
    open_parts: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        line = event.start_mark.line + 1
        total += 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_parts.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_parts.pop()
            sizes |= {anchor: total - before} if anchor else {}
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_parts):
                raise _refused(path, "an alias repeats what it is part of", line, f"*{event.anchor}")
            total += sizes.get(event.anchor, 1)
        if len(open_parts) > _DEEPEST:
            raise _too_deep(path, line)
        if total > _MOST:
            raise _refused(path, "the config grows too large", line, expected=f"at most {_MOST} values")
        yield event


def _check_event(path: Path, event: yaml.Event) -> None:
    line = event.start_mark.line + 1
    tag = getattr(event, "tag", None)
    if tag is not None and tag not in _PLAIN_TAGS:
        raise _refused(path, "the config asks for an object", line, f"tag {tag}", "plain values", "remove the tag")
    if not isinstance(event, yaml.ScalarEvent) or event.style is not None or tag is not None:
        return
    for problem, pattern in _MISREAD.items():
        if pattern.fullmatch(event.value):
            remedy = "write a number with a point and a signed exponent, as 1.0e-4; true or false; or a text in quotes"
            raise _refused(path, f"a value is {problem}", line, event.value, remedy=remedy)
    if event.value.lower() in (".nan", ".inf", "+.inf", "-.inf"):
        raise _refused(path, "a number is not finite", line, event.value, "finite numbers")
