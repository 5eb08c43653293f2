"""A config as a flat list of values with ids, and what the values refer to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from monai_cortex.errors import ConfigError

__all__ = [
    "Entry",
    "Finding",
    "cycles",
    "entries",
    "is_expression",
    "known_ids",
    "missing_references",
    "nearest",
    "references",
    "require_known_overrides",
    "unknown_overrides",
]

REFERENCE = re.compile(r"@\w*(?:::\w*)*")
FILE_MACRO = re.compile(r"%.*\.(json|ya?ml)", re.IGNORECASE | re.DOTALL)


class Finding(NamedTuple):
    """One line of a report; rules leave the file to their caller."""

    where: str
    what: str
    expected: str
    remedy: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.what}, expected {self.expected}, {self.remedy}"


class Entry(NamedTuple):
    """One value of a config: its id with ``::`` between the keys, its last key, the value."""

    where: str
    key: str
    value: Any


def entries(node: object, where: str = "") -> Iterator[Entry]:
    """All values of a config at every level, parents before children.

    A key may be a path, as in ``{"network#_target_": ...}``; the last key of an entry is then that of the path.
    """
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        place = f"{where}::{key}".removeprefix("::").removeprefix("+").replace("#", "::")
        yield Entry(place, place.rpartition("::")[2], value)
        yield from entries(value, place)


def is_expression(value: object) -> bool:
    """Whether MONAI would evaluate this value as Python."""
    return isinstance(value, str) and value.startswith("$")


def references(entry: Entry) -> list[str]:
    """The ids a value refers to; a text that merely holds an ``@`` refers to nothing."""
    if not isinstance(entry.value, str):
        return []
    value = entry.value.replace("#", "::")
    if value.startswith("%") and not FILE_MACRO.match(value):
        return [value[1:]]
    return [text[1:] for text in REFERENCE.findall(value) if is_expression(value) or text == value]


def known_ids(config: dict[str, Any]) -> set[str]:
    """Ids at every level, those that in-file macros copy included (MONAI does not follow a macro in a macro)."""
    table = {entry.where: entry for entry in entries(config)}
    known = set(table)
    for entry in table.values():
        for target in references(entry) if str(entry.value).startswith("%") else ():
            known |= {entry.where + name.removeprefix(target) for name in table if name.startswith(f"{target}::")}
    return known


def nearest(name: str, known: Iterable[str]) -> str:
    """What a misspelled id probably meant."""
    near = get_close_matches(name, sorted(known), n=1)
    return near[0] if near else "an id of this config"


def missing_references(config: dict[str, Any], answers: Iterable[set[str]] = ()) -> list[Finding]:
    """References that no id answers.

    Args:
        config: whose values refer.
        answers: ids of the configs it may be laid over; the one that leaves the fewest references open counts.
    """
    pairs = [(entry.where, name) for entry in entries(config) for name in references(entry)]
    known = known_ids(config)
    lost = [[pair for pair in pairs if pair[1] not in known | base] for base in list(answers) or [set()]]
    return [
        Finding(where, f"reference @{name}", nearest(name, known), "correct or add the id")
        for where, name in min(lost, key=len)
    ]


def cycles(config: dict[str, Any]) -> list[Finding]:
    """References that lead back to where they started; a value needs what it refers to, and all of its parts."""
    edges: dict[str, list[str]] = {}
    for entry in entries(config):
        edges.setdefault(entry.where.rpartition("::")[0], []).append(entry.where)
        edges.setdefault(entry.where, []).extend(references(entry))
    edges.pop("", None)
    done: set[str] = set()
    loops = (_loop_from(start, edges, done) for start in list(edges))
    return [
        Finding(loop[0], f"references in a circle: {' -> '.join(loop)}", "an order", "remove one of the references")
        for loop in loops
        if loop
    ]


def _loop_from(start: str, edges: dict[str, list[str]], done: set[str]) -> list[str]:
    """The first circle met on the way down from an id, without recursion: a config may be long."""
    path: list[tuple[str, Iterator[str]]] = [(start, iter(edges.get(start, ())))]
    names = {start}
    while path and start not in done:
        name, rest = path[-1]
        following = next(rest, None)
        if following is None:
            done.add(name)
            names.discard(name)
            path.pop()
        elif following in names:
            trail = [place for place, _ in path]
            done.update(trail)
            return [*trail[trail.index(following) :], following]
        elif following not in done:
            path.append((following, iter(edges.get(following, ()))))
            names.add(following)
    return []


def unknown_overrides(config_keys: Iterable[str], overrides: Iterable[str]) -> dict[str, str]:
    """Overrides that name no id, each with the id that was probably meant; a component may get new arguments.

    Args:
        config_keys: the ids of a config at every level.
        overrides: ids as they are given on the command line, with ``::`` or ``#``, without value.
    """
    keys = set(config_keys)
    names = {name.lstrip("-+").replace("#", "::"): name for name in overrides}
    known = {full for full in names if full in keys or f"{full.rpartition('::')[0]}::_target_" in keys}
    return {name: nearest(full, keys) for full, name in names.items() if full not in known}


def require_known_overrides(config_keys: Iterable[str], overrides: Iterable[str], file: object = "") -> None:
    """Refuse an override that the stock client would take for a new key.

    Raises:
        ConfigError: naming the override and the id that was probably meant.
    """
    for name, meant in unknown_overrides(config_keys, overrides).items():
        raise ConfigError(
            "an override names no id of the config",
            file=file,
            found=name,
            expected=f"did you mean {meant}?" if meant != "an id of this config" else meant,
            remedy="correct the name; nothing was run",
        )
