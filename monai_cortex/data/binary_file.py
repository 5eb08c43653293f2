"""Binary files read from front to back: nothing is allocated beyond what the file holds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .input_file import read_head, require_file
from .named_file import NamedFile

__all__ = ["BinaryFile"]

_LINE = 4096


class BinaryFile(NamedFile):
    """An open binary file that refuses to be read beyond its end.

    Args:
        path: of the file.
        kind: what the file should be, for messages.
        subject: identifier for messages.

    Raises:
        InputFileError: missing, not regular, empty, unreadable, or foreign content.
    """

    def __init__(self, path: str | os.PathLike[str], kind: str, subject: str = "") -> None:
        read_head(path, subject)
        super().__init__(path, subject)
        self.kind = kind
        self.size = self.left = require_file(path, subject)
        self._stream = open(path, "rb")

    def __enter__(self) -> BinaryFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def content(self, count: int, what: str) -> bytes:
        """The next bytes.

        Args:
            count: how many bytes.
            what: they are, for messages.

        Raises:
            InputFileError: the file holds fewer.
        """
        data = self._stream.read(count) if 0 <= count <= self.left else b""
        if len(data) != count:
            self.refuse(
                f"the {self.kind} is truncated or damaged at its {what}",
                f"{self.left:,} of {self.size:,} bytes left",
                f"{count:,} bytes more" if count >= 0 else f"no negative length ({count})",
            )
        self.left -= count
        return data

    def numbers(self, dtype: DTypeLike, count: int, what: str) -> NDArray[Any]:
        """The next numbers ``(count,)``; as :meth:`content`."""
        kind = np.dtype(dtype)
        return np.frombuffer(self.content(count * kind.itemsize, what), kind)

    def number(self, what: str) -> int:
        """The next big-endian integer of 4 bytes, dimensionless; as :meth:`content`."""
        return int(self.numbers(">i4", 1, what)[0])

    def line(self, what: str) -> bytes:
        """The next line without its end, at most 4096 bytes; as :meth:`content`."""
        line = self._stream.readline(_LINE)
        self.left -= len(line)
        if not line.endswith(b"\n"):
            self.refuse(
                f"the {self.kind} is truncated or damaged at its {what}",
                f"no end of line within {len(line)} bytes",
                "a line of text",
            )
        return line[:-1]
