"""What every input file is asked before it is read: is it there, regular, whole and what its name says?"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from monai_cortex.errors import InputFileError

__all__ = ["read_head", "read_text", "refuse_foreign", "require_file"]

_FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer", "get the content with `git lfs pull`"),
    (b"annex/objects/", "a git-annex pointer", "get the content with `datalad get` or `git annex get`"),
    (b"outs:\n- ", "a DVC pointer", "get the content with `dvc pull`"),
    (b"<!doctype", "a web page", "download the file itself, not the page that shows it"),
    (b"<html", "a web page", "download the file itself, not the page that shows it"),
    (b"<?xml", "a web page or an XML answer of a server", "download the file itself, not the server's answer"),
)
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
_TEXT_LIMIT = 16_000_000


def require_file(path: str | os.PathLike[str], subject: str = "") -> int:
    """Size in bytes of a regular, non-empty file. The file is not opened, so that a pipe cannot block.

    Raises:
        InputFileError: missing, not a regular file, or empty.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise _absent(path, subject, error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "a device")
        raise InputFileError(
            "not a regular file",
            file=path,
            subject=subject,
            found=kind,
            expected="a regular file",
            remedy="give the path of the file itself",
        )
    if status.st_size == 0:
        raise InputFileError(
            "the file is empty",
            file=path,
            subject=subject,
            found="0 bytes",
            expected="content",
            remedy="copy or export the file again",
        )
    return status.st_size


def read_head(path: str | os.PathLike[str], subject: str = "", size: int = 1024, *, markup: bool = False) -> bytes:
    """First bytes of a file, refused where they are a web page or the pointer of a data-versioning tool.

    Args:
        path: of the file.
        subject: identifier for messages.
        size: how many bytes at most.
        markup: the file's own format is XML, so that its reader tells it from a web page.

    Raises:
        InputFileError: missing, not regular, empty, unreadable, or foreign content.
    """
    require_file(path, subject)
    try:
        with open(path, "rb") as stream:
            head = stream.read(size)
    except OSError as error:
        raise InputFileError(
            "the file cannot be read",
            file=path,
            subject=subject,
            found=error.strerror,
            expected="a readable file",
            remedy="check the file's permissions and its disk",
        ) from error
    refuse_foreign(head, path, subject, markup=markup)
    return head


def refuse_foreign(head: bytes, path: str | os.PathLike[str], subject: str = "", *, markup: bool = False) -> None:
    """Refuse content that is a web page or the pointer of a data-versioning tool.

    Args:
        head: first bytes.
        path: of the file, for messages.
        subject: identifier for messages.
        markup: the file's own format is XML, so that its reader tells it from a web page.

    Raises:
        InputFileError: it is.
    """
    start = head[:300].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, name, remedy in _FOREIGN:
        if markup and sign.startswith(b"<"):
            continue
        if start.startswith(sign) or (sign.startswith(b"annex") and sign in start):
            raise InputFileError(
                f"the file looks like {name}",
                file=path,
                subject=subject,
                found=repr(start[:40].decode("ascii", "replace")),
                expected=f"the content of a {Path(path).name}",
                remedy=remedy,
            )


def read_text(path: str | os.PathLike[str], subject: str = "") -> str:
    """Content of a small UTF-8 text file; a byte-order mark is dropped.

    Raises:
        InputFileError: as :func:`read_head`, or binary or oversized content.
    """
    if b"\0" in read_head(path, subject) or require_file(path, subject) > _TEXT_LIMIT:
        raise _not_text(path, subject)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(path, subject) from error


def _not_text(path: str | os.PathLike[str], subject: str) -> InputFileError:
    return InputFileError(
        "the file is not a text table",
        file=path,
        subject=subject,
        found="binary or oversized content",
        expected=f"UTF-8 text of at most {_TEXT_LIMIT // 10**6} MB",
        remedy="check that the files of the subject were not mixed up",
    )


def _absent(path: str | os.PathLike[str], subject: str, error: Exception) -> InputFileError:
    target = _link_target(path)
    if target:
        annexed = "annex" in target and "objects" in target
        return InputFileError(
            "not a regular file",
            file=path,
            subject=subject,
            found=f"a link to {target!r}, which leads nowhere",
            expected="a regular file",
            remedy="get the content with `datalad get`" if annexed else "mend or remove the link",
        )
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    return InputFileError(
        "the file does not exist" if missing else "the file cannot be found",
        file=path,
        subject=subject,
        found=getattr(error, "strerror", None) or error,
        expected="a regular file",
        remedy="check the path and its spelling",
    )


def _link_target(path: str | os.PathLike[str]) -> str:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return ""
