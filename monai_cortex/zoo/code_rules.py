"""What a config would execute, and whether all of it is harmless. Nothing in it is executed to find out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .allowed_names import IMPORTABLE, OPENS_BY_NAME, ROOTS, is_target
from .config_tree import FILE_MACRO, Entry, Finding, entries, is_expression, references
from .expressions import unsafe_parts

__all__ = ["code_of", "unsafe_code", "unsafe_entries"]

_READER = re.compile(r"(monai\.data\.)?(Nibabel|ITK|Nrrd|PIL|Pydicom|Numpy)(Reader|Writer)")
_MERGER = re.compile(r"(monai\.inferers\.)?(AvgMerger)")
# What these arguments name is called, unpickled or fetched: only what is listed, or nothing.
_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "reader": lambda value: value is None or bool(_READER.fullmatch(str(value))),
    "writer": lambda value: value is None or bool(_READER.fullmatch(str(value))),
    "merger_cls": lambda value: value is None or bool(_MERGER.fullmatch(str(value))),
    "allow_pickle": lambda value: value is False,
    "weights_only": lambda value: value is True,
    "pickle_module": lambda value: False,
    "pickle_protocol": lambda value: False,
    "_debug_": lambda value: value is False,
    "_requires_": lambda value: True,
}
_PLACES = re.compile(r"^(?![@$%]).*(://)|^([/~\\]|[A-Za-z]:[/\\])|^(?![@$%])(.*[/\\])?\.\.([/\\]|$)")
_READ_ONLY = {"dataset_dir", "_desc_"}


def code_of(config: dict[str, Any]) -> list[str]:
    """Every expression and target, as ``id: text``: what a config would execute."""
    return [
        f"{entry.where}: {entry.value}"
        for entry in entries(config)
        if is_expression(entry.value) or entry.key == "_target_"
    ]


def unsafe_code(config: dict[str, Any]) -> list[Finding]:
    """What in a config is not on the list of harmless things: targets, expressions, arguments, modes, places."""
    rules = (unsafe_target, unsafe_expression, unsafe_macro, _unsafe_argument, _unsafe_place)
    found = [finding for entry in entries(config) for rule in rules for finding in rule(entry)]
    return [*found, *_unsafe_modes(config)]


def unsafe_entries(metadata: dict[str, Any]) -> list[Finding]:
    """The same for metadata: texts about the bundle, which a config can still execute by a reference to them."""
    rules = (unsafe_target, unsafe_expression, unsafe_macro)
    return [finding for entry in entries(metadata) for rule in rules for finding in rule(entry)]


def unsafe_target(entry: Entry) -> Iterator[Finding]:
    """A target is a full dotted name on the list."""
    if entry.key.lstrip("+") != "_target_":
        return
    if not isinstance(entry.value, str) or not re.fullmatch(r"\w+(\.\w+)+", entry.value):
        yield Finding(entry.where, f"target {entry.value!r}", "a full dotted name", "name package and module too")
    elif not is_target(entry.value):
        expected = f"a listed name in {', '.join(sorted(ROOTS))}"
        yield Finding(entry.where, f"target {entry.value!r}", expected, "use or write a component there")


def unsafe_expression(entry: Entry) -> Iterator[Finding]:
    """An expression names only what is harmless; a reference never leads to an imported module."""
    if isinstance(entry.value, str) and entry.value.startswith(("@", "%")):
        lost = [name for name in references(entry) if name.split("::")[0] in {"", "imports"}]
        yield from (Finding(entry.where, f"reference @{name}", "an id", "name what is needed") for name in lost)
    if not is_expression(entry.value):
        return
    text = entry.value[1:]
    if re.match(r"\s*(import|from)\b", text):
        yield from _unsafe_statement(entry, text)
        return
    reasons = sorted(set(unsafe_parts(text)))
    if reasons:
        what, expected = f"expression with {', '.join(reasons)}", "listed functions and attributes"
        yield Finding(entry.where, what, expected, "make it a component")


def _unsafe_statement(entry: Entry, text: str) -> Iterator[Finding]:
    """An import statement stands in ``imports``, alone, and names an allowed package."""
    names = re.fullmatch(r"import (\w+)( as np)?", text)
    allowed = names and (names[1] == "numpy" if names[2] else names[1] in IMPORTABLE)
    if not allowed or not entry.where.startswith("imports::"):
        expected = f"in the list imports $import of {', '.join(sorted(IMPORTABLE))}"
        yield Finding(entry.where, f"statement {text!r}", expected, "remove or move it")


def unsafe_macro(entry: Entry) -> Iterator[Finding]:
    """File macros read files that nothing here has checked, and relative to the current directory."""
    if isinstance(entry.value, str) and FILE_MACRO.match(entry.value):
        yield Finding(entry.where, f"file macro {entry.value!r}", "a value or an in-file macro", "copy the content")


def _unsafe_argument(entry: Entry) -> Iterator[Finding]:
    """Some arguments name what is called or fetched; a reference or macro could name anything."""
    harmless = _ARGUMENTS.get(entry.key)
    if entry.key.startswith("pretrained") and entry.value not in (None, False):
        harmless = _ARGUMENTS["pickle_module"]
    if harmless and not harmless(entry.value) and "_desc_" not in entry.where.split("::"):
        expected = "a plain listed value"
        yield Finding(entry.where, f"argument {entry.key} = {entry.value!r}", expected, "leave it out")


def _unsafe_modes(config: dict[str, Any]) -> Iterator[Finding]:
    """A component handed on uncalled gets arguments that nobody has checked."""
    table = {entry.where: entry.value for entry in entries(config)}
    for where, value in table.items():
        base, _, key = where.rpartition("::")
        if key != "_mode_" or value == "default":
            continue
        target = table.get(f"{base}::_target_".removeprefix("::"))
        if value != "callable" or not isinstance(target, str) or OPENS_BY_NAME.fullmatch(target):
            yield Finding(where, f"mode {value!r} of {target}", "default", "leave it out")


def _unsafe_place(entry: Entry) -> Iterator[Finding]:
    """A bundle names no address, and no place outside the folders that its user gives it."""
    keys = set(entry.where.split("::"))
    if isinstance(entry.value, str) and _PLACES.search(entry.value) and not keys & _READ_ONLY:
        expected = "no address and no place outside the bundle"
        yield Finding(entry.where, f"place {entry.value!r}", expected, "let the user give it")
