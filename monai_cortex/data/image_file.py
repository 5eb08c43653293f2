"""The bytes of an image file: compressed as its name says, whole, and with the right checksum."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from monai_cortex.errors import InputFileError

from .input_file import read_head, refuse_foreign, require_file

__all__ = ["Content", "could_hold", "inspect_content", "is_zipped", "read_start"]

_HEAD = 1024
_GZIP = b"\x1f\x8b"
_ZIPPED = (".gz", ".mgz")
# A gzip wrapper around the stream, so that zlib verifies CRC and length.
_WBITS = 31
_CHUNK = 1 << 16
# What is inflated at once stays in the processor's cache, and small whatever the stream expands to.
_PART = 1 << 18
# Deflate expands at most 1032 times.
_RATIO = 1032
_TRAILER = 4
_SURPLUS = 1 << 24


class Content(NamedTuple):
    """What an image file holds once decompressed.

    Args:
        head: first bytes, at most 1024.
        size: bytes in all; where reading stopped because they are more than asked for, those seen until then.
        complete: False where a compressed stream ends before its trailer.
    """

    head: bytes
    size: int
    complete: bool


def is_zipped(path: Path) -> bool:
    """Whether a file is named as compressed by gzip."""
    return path.name.lower().endswith(_ZIPPED)


def read_start(path: Path, subject: str, *, markup: bool = False) -> bytes:
    """First bytes of an image file, decompressed, at most 1024; fewer where the stream is damaged within them.

    Args:
        path: image file.
        subject: identifier for messages.
        markup: the format is XML, see :func:`monai_cortex.data.input_file.read_head`.

    Raises:
        InputFileError: foreign content, or name and content disagree on compression.
    """
    head = read_head(path, subject, _CHUNK, markup=markup)
    zipped, named = head.startswith(_GZIP), is_zipped(path)
    if zipped != named:
        raise InputFileError(
            "the file's name and its content disagree on compression",
            file=path,
            subject=subject,
            found="gzip content" if zipped else f"content that starts with {head[:4].hex(' ')}",
            expected="gzip content, starting with 1f 8b" if named else "uncompressed content",
            remedy="add .gz to the name" if zipped else "export the file again, or correct its name",
        )
    if not zipped:
        return head[:_HEAD]
    try:
        start = zlib.decompressobj(wbits=_WBITS).decompress(head, _HEAD)
    except zlib.error:
        return b""
    refuse_foreign(start, path, subject, markup=markup)
    return start


def inspect_content(path: Path, subject: str, most: int, *, markup: bool = False) -> Content:
    """Read a compressed file once to its end, in constant memory; an uncompressed one has no checksum to verify.

    Args:
        path: image file.
        subject: identifier for messages.
        most: decompressed bytes, beyond which reading stops.
        markup: the format is XML, see :func:`monai_cortex.data.input_file.read_head`.

    Raises:
        InputFileError: foreign content, name and content disagree on compression, or a damaged stream.
    """
    start = read_start(path, subject, markup=markup)
    if not is_zipped(path):
        return Content(start, require_file(path, subject), True)
    try:
        return _inflate(path, most)
    except zlib.error as error:
        raise InputFileError(
            "the compressed file is damaged (CRC, length or stream check failed)",
            file=path,
            subject=subject,
            found=str(error).partition(": ")[2] or error,
            expected="a gzip stream whose CRC fits its content",
            remedy="copy or download the file again; `gzip -t` verifies it",
        ) from error


def could_hold(path: Path, size: int) -> bool:
    """Whether a file may hold so many bytes, by its size and, where it is compressed, by the length in its trailer.

    Nothing is decompressed. A stream of several members may hold them too, though its trailer tells another length.

    Args:
        path: of the file.
        size: bytes once decompressed.
    """
    held = os.path.getsize(path)
    if not is_zipped(path):
        return held >= size
    with path.open("rb") as file:
        file.seek(max(0, held - _TRAILER))
        said = int.from_bytes(file.read(), "little")
    # The trailer holds the length modulo 2^32; some formats keep a little behind the voxels.
    return size <= _RATIO * held and (said - size) % (1 << 32) <= _SURPLUS


def _inflate(path: Path, most: int) -> Content:
    head, size, members = b"", 0, _Members()
    with path.open("rb") as file:
        for data in chain.from_iterable(members.feed(chunk) for chunk in iter(partial(file.read, _CHUNK), b"")):
            head += data[: _HEAD - len(head)]
            size += len(data)
            if size > most:
                break
    return Content(head, size, members.stream.eof)


class _Members:
    """Decompress gzip members that follow each other; zeros may pad the last one."""

    def __init__(self) -> None:
        self.stream = zlib.decompressobj(wbits=_WBITS)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self.stream.eof:
                chunk = chunk.lstrip(b"\0")
                self.stream = zlib.decompressobj(wbits=_WBITS) if chunk else self.stream
            if chunk:
                yield from self._member(chunk)
                chunk = self.stream.unused_data

    def _member(self, chunk: bytes) -> Iterator[bytes]:
        full = True
        # A full part may leave content behind even where all input is taken; behind the member's end, zlib keeps
        # what it left of the input before.
        while not self.stream.eof and (chunk or full):
            data = self.stream.decompress(chunk, _PART)
            full, chunk = len(data) == _PART, self.stream.unconsumed_tail
            yield data
