"""Is a file still what it was? By its size and times at once, by its digest where these differ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monai_cortex.data import sha256

__all__ = ["Digest", "Stamp", "digests", "file_stamp", "input_files", "stamps_of", "unequal"]

# Size in bytes, and times of the content's and of the entry's last change in nanoseconds: nobody can set the latter.
Stamp = list[int]
Digest = dict[str, Any]


def file_stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """Size and times of a file; None where it is missing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def stamps_of(files: Mapping[str, str | os.PathLike[str]]) -> dict[str, Stamp | None]:
    """Stamps by name.

    Args:
        files: paths by name.
    """
    return {name: file_stamp(path) for name, path in files.items()}


def digests(files: Mapping[str, str | os.PathLike[str]]) -> dict[str, Digest]:
    """Size in bytes and SHA-256 of each file by its name; those that cannot be read have none.

    Args:
        files: paths by name.
    """
    return {name: _digest(path) for name, path in files.items()}


def unequal(
    files: Mapping[str, str | os.PathLike[str]],
    expected: Mapping[str, Digest],
    stamps: Mapping[str, Stamp | None] | None = None,
) -> list[str]:
    """Names of the files that differ from what is expected, and in what.

    Args:
        files: paths by name; those that are not expected are not looked at.
        expected: digests by name.
        stamps: from when the files were known to be as expected; where they still hold, the file is not read.
    """
    found = []
    for name, digest in expected.items():
        now = file_stamp(files[name]) if name in files else None
        if stamps and now is not None and stamps.get(name) == now:
            continue
        if reason := _difference(now, files.get(name), digest):
            found.append(f"{name} ({reason})")
    return found


def input_files(item: Mapping[str, Any], dataset_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Paths of the files of a subject by their names relative to the data set; missing ones are left out.

    Args:
        item: of the subject, with paths anywhere inside.
        dataset_dir: folder of the data set.
    """
    root = Path(dataset_dir).absolute()
    found = {}
    for text in sorted(set(_texts(item))):
        path = Path(text)
        if path.is_absolute() or path.parent != Path("."):
            absolute = Path(os.path.abspath(path))
            name = absolute.relative_to(root).as_posix() if root in absolute.parents else f"…/{path.name}"
            if absolute.is_file():
                found[name] = str(absolute)
    return found


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)


def _digest(path: str | os.PathLike[str]) -> Digest:
    try:
        return {"bytes": os.stat(path).st_size, "sha256": sha256(path)}
    except OSError:
        return {}


def _difference(now: Stamp | None, path: str | os.PathLike[str] | None, digest: Digest) -> str:
    if now is None or path is None:
        return "" if not digest else "missing"
    if now[0] != digest.get("bytes"):
        return f"{now[0]} bytes instead of {digest.get('bytes', 0)}"
    return "" if _digest(path) == digest else "another sha256"
