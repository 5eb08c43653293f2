"""Archives unpacked: everything about them is checked before the first byte is written."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from monai_cortex.errors import BundleError

__all__ = ["checked_members", "unpack"]

SIZE, FILES = 50 << 20, 2000  # of an archive that no index speaks of: bytes unpacked, members
LARGEST, MOST = 4 << 30, 20_000  # that an index can declare
_RATIO = 200
_SMALL = 1 << 20  # bytes below which a ratio says nothing
_BLOCK = 1 << 20


def unpack(archive: Path, name: str, folder: Path, size: int = SIZE, files: int = FILES) -> None:
    """Unpack the root folder of an archive into a folder.

    Args:
        archive: a zip file with one root folder.
        name: of the root folder, which is that of the bundle.
        folder: gets what lies in the root folder; empty.
        size: most bytes unpacked, at most 4 GB.
        files: most members, at most 20,000.

    Raises:
        BundleError: a member would leave the folder, is a link, encrypted or there twice, or the archive is damaged
            or exceeds the limits; found before anything is written, damage of a member's bytes excepted.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in checked_members(packed, archive, name, min(size, LARGEST), min(files, MOST)):
                _write(packed, member, folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise _refused(archive, "the archive is damaged or no zip archive", str(error)) from error


def _refused(archive: Path, problem: str, found: str, expected: str = "") -> BundleError:
    remedy = "get the archive again from its author; nothing was changed"
    return BundleError(problem, file=archive, found=found, expected=expected, remedy=remedy)


def checked_members(packed: zipfile.ZipFile, archive: Path, name: str, size: int, files: int) -> list[zipfile.ZipInfo]:
    """The files of an archive, after all checks; see :func:`unpack`."""
    members = packed.infolist()
    if len(members) > files:
        raise _refused(archive, "the archive holds too many files", f"{len(members):,}", f"at most {files:,}")
    if (total := sum(member.file_size for member in members)) > size:
        raise _refused(archive, "the archive unpacks to too much", f"{total:,} bytes", f"at most {size:,}")
    for member in members:
        for problem in _wrong(member, name):
            raise _refused(archive, problem, repr(member.filename)[:120], f"files in the folder {name}/")
    _require_distinct(archive, members)
    kept = [member for member in members if not member.is_dir()]
    if not kept:
        raise _refused(archive, "the archive is empty", "no file", f"files in the folder {name}/")
    return kept


def _wrong(member: zipfile.ZipInfo, name: str) -> Iterator[str]:
    # zipfile cuts a name at NUL and turns backslashes round on Windows only; orig_filename is what the archive says.
    text = member.orig_filename
    parts = text.rstrip("/").split("/")
    mode = member.external_attr >> 16
    if "\\" in text or "\0" in text or ":" in text or text.startswith("/") or not text.isprintable():
        yield "a member has an absolute or impossible name"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        yield "a member leaves the bundle's folder"
    if parts[0] != name or (len(parts) == 1 and not member.is_dir()):
        yield "a member lies outside the bundle's folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield "a member is a link or a device"
    if member.flag_bits & 1:
        yield "a member is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield "a member is packed in an unusual way"
    if member.file_size > max(_SMALL, _RATIO * member.compress_size):
        yield "a member is packed too tightly to be what it says"


def _require_distinct(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Names that some file system takes for one, and files that are folders of others."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    for member in members:
        text = member.filename.rstrip("/")
        same = unicodedata.normalize("NFC", text).casefold()
        if same in seen:
            raise _refused(archive, "two members have one name", f"{seen[same]} and {text}", "each name once")
        seen[same] = text
        files |= set() if member.is_dir() else {same}
    for same, text in seen.items():
        if any(str(parent) in files for parent in PurePosixPath(same).parents):
            raise _refused(archive, "a member lies inside a file", text, "folders and files apart")


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Permissions are not taken over; zipfile gives no byte beyond the declared size, and checks the CRC at its end."""
    target = folder.joinpath(*member.filename.split("/")[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(member) as source, target.open("xb") as sink:
        while block := source.read(_BLOCK):
            sink.write(block)
