"""Names for results by what they are made of: contents of files, parameters, versions and code."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

import monai_cortex

from .atomic import sha256

__all__ = ["content_key", "software_key"]

_PACKAGES = ("torch", "monai", "numpy", "scipy", "nibabel", "dipy")


def content_key(*parts: Any) -> str:
    """Hexadecimal SHA-256 digest of values, the same in every process, 64 characters.

    Args:
        parts: nested mappings, sequences and sets of texts, numbers, arrays, tensors, functions and other objects.
            A text that is the path of a file stands for the file's name and content, wherever it lies; functions and
            objects stand for their code and state.

    Raises:
        ValueError: something has no state that could be told, such as an open file or a random generator.
    """
    described = _each(parts, ())
    return hashlib.sha256(json.dumps(described).encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def software_key() -> str:
    """Digest of the versions of what computes, and of this package's own code."""
    versions = [(name, _version(name)) for name in _PACKAGES]
    folder = Path(monai_cortex.__file__).parent
    code = [(path.relative_to(folder).as_posix(), sha256(path)) for path in sorted(folder.rglob("*.py"))]
    return content_key(monai_cortex.__version__, sys.version_info[:2], versions, code)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _describe(value: Any, above: tuple[int, ...]) -> Any:
    """Nested lists of texts and numbers; ``above`` are the ids of the objects around the value."""
    if id(value) in above:
        return ["around", len(above) - above.index(id(value))]
    above = (*above, id(value))
    for kinds, describe in _FORMS:
        if isinstance(value, kinds):
            return describe(value, above)
    return [_kind(type(value)), _describe(_state(value), above)]


def _each(values: Iterable[Any], above: tuple[int, ...]) -> list[Any]:
    return [_describe(value, above) for value in values]


def _text(text: str) -> list[str]:
    return ["file", os.path.basename(text), sha256(text)] if os.path.isfile(text) else ["text", str(text)]


def _numbers(value: Any) -> list[Any]:
    affine = [_numbers(value.affine)] if hasattr(value, "affine") else []
    array = np.ascontiguousarray(_bare(value))
    if array.dtype.hasobject:
        raise ValueError("an array of objects has no content that could be told")
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return [type(value).__name__, str(getattr(value, "dtype", "")), list(np.shape(value)), digest, *affine]


def _bare(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    # Bytes, since numpy has not all of torch's types.
    return value.detach().cpu().contiguous().as_subclass(torch.Tensor).reshape(-1).view(torch.uint8).numpy()


def _function(value: FunctionType, above: tuple[int, ...]) -> list[Any]:
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    return [_kind(value), *_each((value.__code__, value.__defaults__, value.__kwdefaults__, cells), above)]


def _state(value: Any) -> dict[str, Any]:
    names = [name for kind in type(value).__mro__ for name in _slots(kind) if hasattr(value, name)]
    if not names and not hasattr(value, "__dict__"):
        raise ValueError(f"{type(value).__name__} has no state that could be told")
    return {name: getattr(value, name) for name in names} | getattr(value, "__dict__", {})


def _slots(kind: type) -> list[str]:
    slots = kind.__dict__.get("__slots__", ())
    return [name for name in ([slots] if isinstance(slots, str) else slots) if not name.startswith("__")]


def _kind(value: Any) -> str:
    """Name of a type or function with the digest of the file that defines it."""
    return f"{value.__module__}.{value.__qualname__} {_source(str(value.__module__))}"


@functools.cache
def _source(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return sha256(file) if file and os.path.isfile(file) else ""


# The first that fits counts; all else is told by its type and state.
_FORMS: tuple[tuple[Any, Callable[[Any, tuple[int, ...]], Any]], ...] = (
    (Enum, lambda value, _: [_kind(type(value)), value.name]),
    ((type(None), bool, int, float), lambda value, _: [type(value).__name__, repr(value)]),
    ((str, os.PathLike), lambda value, _: _text(os.fspath(value))),
    (
        (bytes, complex, slice, range, torch.dtype, torch.device, np.dtype),
        lambda value, _: [type(value).__name__, repr(value)],
    ),
    ((torch.Tensor, np.ndarray, np.generic), lambda value, _: _numbers(value)),
    (Mapping, lambda value, above: [_kind(type(value)), [_each(pair, above) for pair in value.items()]]),
    ((list, tuple), lambda value, above: [_kind(type(value)), _each(value, above)]),
    ((set, frozenset), lambda value, above: [_kind(type(value)), sorted(_each(value, above), key=json.dumps)]),
    (type, lambda value, _: ["type", _kind(value)]),
    (BuiltinFunctionType, lambda value, above: [value.__qualname__, *_each((value.__module__, value.__self__), above)]),
    (MethodType, lambda value, above: ["method", *_each((value.__func__, value.__self__), above)]),
    (CodeType, lambda value, above: [value.co_code.hex(), *_each((value.co_names, value.co_consts), above)]),
    (FunctionType, _function),
    (functools.partial, lambda value, above: ["partial", *_each((value.func, value.args, value.keywords), above)]),
    (ModuleType, lambda value, _: ["module", value.__name__]),
)
