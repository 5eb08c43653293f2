"""Prepared items on disk: tensors, arrays and plain values, with a checksum and without names of files."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from .atomic import atomic_path

__all__ = ["pack_item", "read_entry", "unpack_item", "write_entry"]

_MAGIC = b"CORTEXC1"
_START = len(_MAGIC) + hashlib.sha256().digest_size
_PATH = re.compile(r"(^|[\s'\"(=:])(/|~|[A-Za-z]:[\\/]|\\\\)\S")


def pack_item(item: Any, source: Any) -> Any:
    """Take an item apart into what a safe reader accepts.

    Args:
        item: nested mappings, lists and tuples of tensors, arrays, numbers and texts.
        source: what the item was made from. What it still has of that is referred to, not repeated, and so are paths.

    Returns:
        Tuples that begin with their kind. Of the metadata of a MetaTensor only the affine is kept.

    Raises:
        ValueError: there is something else in it, or a path that ``source`` does not have under the same key.
    """
    if not isinstance(item, Mapping):
        return _pack(item)
    source = source if isinstance(source, Mapping) else {}
    kept = [(key, ("source",) if _is_from(source, key, value) else _pack(value)) for key, value in item.items()]
    return ("map", kept)


def unpack_item(packed: Any, source: Any) -> Any:
    """Put an item together from what :func:`pack_item` gave; ``source`` as there."""
    kind, *rest = packed
    if kind == "map":
        return {key: deepcopy(source[key]) if part[0] == "source" else unpack_item(part, None) for key, part in rest[0]}
    if kind in ("list", "tuple"):
        values = [unpack_item(part, None) for part in rest[0]]
        return values if kind == "list" else tuple(values)
    if kind == "meta":
        return MetaTensor(rest[0], affine=rest[1])
    if kind in ("array", "number"):
        return rest[0].numpy() if kind == "array" else rest[0].numpy()[()]
    return rest[0]


def write_entry(path: str | os.PathLike[str], packed: Any, key: str) -> None:
    """Write an item, whole or not at all.

    Args:
        path: final name.
        packed: see :func:`pack_item`.
        key: what the entry answers to; it is part of the checksum.

    Raises:
        ResourceError: the disk is full.
    """
    stream = io.BytesIO()
    torch.save(packed, stream)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for part in (_MAGIC, _checksum(stream.getbuffer(), key), stream.getbuffer()):
            file.write(part)


def read_entry(path: str | os.PathLike[str], key: str) -> Any:
    """Read what :func:`write_entry` wrote, running nothing that it contains.

    Raises:
        ValueError: it is not complete, was changed, or answers to another key.
    """
    content = memoryview(Path(path).read_bytes())
    if bytes(content[:_START]) != _MAGIC + _checksum(content[_START:], key):
        raise ValueError(f"{len(content)} bytes, wrong checksum")
    try:
        return torch.load(io.BytesIO(content[_START:]), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        raise ValueError(f"{len(content)} bytes, unreadable content") from error


def _checksum(content: memoryview, key: str) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(content)
    return digest.digest()


def _is_from(source: Mapping[Any, Any], key: Any, value: Any) -> bool:
    return key in source and _is_plain(value) and type(value) is type(source[key]) and value == source[key]


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, os.PathLike))


def _pack(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _pack_tensor(value)
    if isinstance(value, (np.ndarray, np.generic)):
        # A copy, since what is shared with a file or a larger array must not change behind it.
        return ("array" if isinstance(value, np.ndarray) else "number", _from_numpy(np.array(value, order="C")))
    if type(value) is dict:
        return ("map", [(key, _pack(part)) for key, part in value.items() if _named(key)])
    if type(value) in (list, tuple):
        return (type(value).__name__, [_pack(part) for part in value])
    if isinstance(value, str) and _PATH.search(value):
        raise ValueError("a path, which must not be kept")
    if value is None or type(value) in (bool, int, float, str):
        return ("plain", value)
    raise ValueError(f"{type(value).__name__}, neither tensor, array, number nor text")


def _named(key: Any) -> bool:
    if type(key) not in (str, int) or _PATH.search(str(key)):
        raise ValueError(f"a key of type {type(key).__name__} that is a path, or neither text nor number")
    return True


def _from_numpy(value: Any) -> Tensor:
    try:
        return torch.from_numpy(value)
    except TypeError as error:
        raise ValueError(f"an array of {value.dtype}") from error


def _pack_tensor(value: Tensor) -> Any:
    if value.layout != torch.strided or getattr(value, "has_pending_operations", False):
        raise ValueError(f"a tensor of layout {value.layout}, or one that lazy transforms have not finished")
    # A view would be stored with all the memory that it looks into.
    bare = value.detach().as_subclass(Tensor).cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, MetaTensor):
        return ("meta", bare, value.affine.detach().as_subclass(Tensor).cpu().clone())
    return ("tensor", bare)
