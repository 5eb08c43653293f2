"""Files and folders that stand complete under their final name, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from monai_cortex.errors import ConfigError, ResourceError

__all__ = ["atomic_folder", "atomic_path", "clear_partials", "full_disk_named", "sha256", "write_json"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a temporary path beside ``path`` and rename it to ``path`` on success.

    The temporary keeps the suffixes of ``path``, since writers choose the format by them. Parent folders are made.

    Args:
        path: final name; an older file under it stays whole until the new one is on the disk.

    Yields:
        The path to write to. On any exception it is removed and ``path`` is left as it was.

    Raises:
        ResourceError: the disk or the quota is full.
    """
    path = Path(path)
    temporary = _beside(path)
    try:
        with full_disk_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
            _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, replace: bool = True) -> Iterator[Path]:
    """Hand out a hidden staging folder beside ``path`` and rename it to ``path`` on success.

    An older folder is moved aside just before and removed just after: the final name may be free for an instant, but
    never holds a part of the new or of the old results.

    Args:
        path: final name of the folder.
        replace: False keeps a folder that another process has published meanwhile and drops this one.

    Yields:
        The staging folder, empty. On any exception it is removed and ``path`` is left as it was.

    Raises:
        ConfigError: ``path`` is a file.
        ResourceError: the disk or the quota is full.
    """
    path = Path(path)
    staging = _beside(path)
    if path.exists() and not path.is_dir():
        raise ConfigError(
            "a file has the name of the results folder",
            file=path,
            found="a file",
            expected="a folder or nothing",
            remedy="move the file away, or choose another output folder",
        )
    try:
        with full_disk_named(path):
            staging.mkdir(parents=True)
            yield staging
            for name in [*staging.rglob("*"), staging]:
                _flush(name)
            _publish(staging, path, replace)
            _flush(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def clear_partials(path: str | os.PathLike[str]) -> None:
    """Remove what killed writers of ``path`` left beside it; only for a caller that is its sole writer."""
    path = Path(path)
    for name in path.parent.glob(".*.partial*") if path.parent.is_dir() else ():
        if name.name.startswith(_stem(path)):
            shutil.rmtree(name) if name.is_dir() else name.unlink()


def write_json(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Write a record so that equal records give equal bytes: sorted keys, a final newline, NaN and infinity as null.

    Args:
        path: final name, written through :func:`atomic_path`.
        record: nested mappings and sequences of text, numbers, arrays and tensors.
    """
    text = json.dumps(_plain(record), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 digest of a file's content, 64 characters."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _stem(path: Path) -> str:
    # A name may be 255 bytes long already; 40 characters and the rest of the temporary's name always fit.
    return f".{path.name[:40]}."


def _beside(path: Path) -> Path:
    return path.with_name(f"{_stem(path)}{uuid4().hex[:12]}.partial{''.join(path.suffixes[-2:])[-16:]}")


def _flush(path: Path) -> None:
    # Only POSIX lets a folder be opened; elsewhere the rename alone has to do.
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(staging: Path, path: Path, replace: bool) -> None:
    old = _beside(path)
    if replace:
        with suppress(FileNotFoundError):
            os.rename(path, old)
    try:
        os.rename(staging, path)
    except OSError:
        if old.exists() and not path.exists():
            os.rename(old, path)
        if replace or not path.is_dir():
            raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn what the system says of a full disk into an error that can be read.

    Args:
        path: that is written to; for the message.

    Raises:
        ResourceError: the disk or the quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ResourceError(
            "the disk is full, or the quota or file-size limit is reached",
            file=path,
            found=f"{_free(path.parent) / 1e6:,.0f} MB free on the disk; {error.strerror}",
            expected="room for the new file beside the old one",
            remedy="free some space, or choose another output folder",
        ) from error


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())).free


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
