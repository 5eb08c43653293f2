"""The bytes of an image file: compressed as its name says, whole, and with the right checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from monai_cortex.errors import InputFileError, ResourceError

from .input_file import read_head, require_file
from .memory import OPTION

__all__ = ["Content", "inspect_content"]

_HEAD = 1024
_GZIP = b"\x1f\x8b"
_ZIPPED = (".gz", ".mgz")
# A gzip wrapper around the stream, so that zlib verifies CRC and length.
_WBITS = 31
# Deflate expands at most 1032 times, so that one chunk never becomes more than 17 MB.
_CHUNK = 1 << 14


class Content(NamedTuple):
    """What an image file holds once decompressed.

    Args:
        head: first bytes, at most 1024.
        size: bytes in all.
        complete: False where a compressed stream ends before its trailer.
    """

    head: bytes
    size: int
    complete: bool


def inspect_content(path: Path, subject: str, limit: int, *, markup: bool = False) -> Content:
    """Read a compressed file once to its end, in constant memory; an uncompressed one has no checksum to verify.

    Args:
        path: image file.
        subject: identifier for messages.
        limit: decompressed bytes beyond which the image is refused.
        markup: the format is XML, see :func:`monai_cortex.data.input_file.read_head`.

    Raises:
        InputFileError: foreign content, name and content disagree on compression, or a damaged stream.
        ResourceError: the content is larger than the limit.
    """
    head = read_head(path, subject, _HEAD, markup=markup)
    zipped, named = head.startswith(_GZIP), path.name.lower().endswith(_ZIPPED)
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
        return Content(head, require_file(path, subject), True)
    try:
        return _inflate(path, limit)
    except zlib.error as error:
        raise InputFileError(
            "the compressed file is damaged (CRC, length or stream check failed)",
            file=path,
            subject=subject,
            found=str(error).partition(": ")[2] or error,
            expected="a gzip stream whose CRC fits its content",
            remedy="copy or download the file again; `gzip -t` verifies it",
        ) from error
    except OverflowError as error:
        raise ResourceError(
            "the image needs more memory than is allowed",
            file=path,
            subject=subject,
            found=f"more than {limit / 1e9:.3g} GB after decompression",
            expected=f"at most {limit / 1e9:.3g} GB",
            remedy=f"crop or resample the image, or raise {OPTION}",
        ) from error


def _inflate(path: Path, limit: int) -> Content:
    head, size, members = b"", 0, _Members()
    with path.open("rb") as file:
        for data in chain.from_iterable(members.feed(chunk) for chunk in iter(partial(file.read, _CHUNK), b"")):
            head += data[: _HEAD - len(head)]
            size += len(data)
            if size > limit:
                raise OverflowError(size)
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
                yield self.stream.decompress(chunk)
                chunk = self.stream.unused_data
