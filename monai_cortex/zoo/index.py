"""The list of archives, in the shape in which MONAI's client reads it."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from monai_cortex.data import sha256, write_json
from monai_cortex.errors import BundleError

__all__ = ["INDEX", "Release", "find_release", "write_index"]

INDEX = "models/model_info.json"
_ARCHIVE = re.compile(r"(?P<name>[a-z0-9_]+)_v(?P<version>\d+\.\d+\.\d+)\.zip")


class Release(NamedTuple):
    """One archive of the index: sizes in bytes, ``source`` an address or a file name."""

    name: str
    version: str
    sha256: str
    source: str
    size: int
    unpacked_size: int
    files: int


def write_index(folder: Path, base_url: str = "") -> Path:
    """Write ``<folder>/models/model_info.json`` over all archives of a folder.

    Args:
        folder: holds archives as :func:`pack_bundle` makes them.
        base_url: address that the archives can be downloaded from; without one, ``source`` is the file's name.

    Returns:
        The index: by ``name_vX.Y.Z`` MONAI's ``checksum`` (sha1) and ``source``, and ``sha256`` and sizes.

    Raises:
        BundleError: there is no archive, or one is damaged or called otherwise.
    """
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        raise BundleError("there is no archive to list", file=folder, expected="name_vX.Y.Z.zip, made by `zoo pack`")
    target = folder / INDEX
    write_json(target, {path.stem: _record(path, base_url) for path in archives})
    return target


def _record(path: Path, base_url: str) -> dict[str, Any]:
    if not _ARCHIVE.fullmatch(path.name):
        raise BundleError("an archive is not named as the index needs it", file=path, expected="name_vX.Y.Z.zip")
    try:
        with zipfile.ZipFile(path) as packed:
            damaged, members = packed.testzip(), packed.infolist()
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        raise BundleError("the archive is damaged", file=path, found=str(error)) from error
    if damaged:
        raise BundleError("the archive is damaged", file=path, found=f"wrong checksum of {damaged}")
    return {
        "checksum": hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(),
        "source": f"{base_url.rstrip('/')}/{path.name}" if base_url else path.name,
        "sha256": sha256(path),
        "size": path.stat().st_size,
        "unpacked_size": sum(member.file_size for member in members),
        "files": len(members),
    }


def find_release(index: dict[str, Any], name: str, version: str, file: object) -> Release:
    """The archive of a bundle; the latest version, by number, if none is asked for.

    Args:
        index: content of ``model_info.json``.
        name: of the bundle.
        version: ``X.Y.Z``, or empty.
        file: where the index lies, for messages.

    Raises:
        BundleError: there is no such bundle or version, or its record is incomplete.
    """
    versions = {
        match["version"]: record
        for stem, record in index.items()
        if (match := _ARCHIVE.fullmatch(f"{stem}.zip")) and match["name"] == name
    }
    chosen = version or max(versions, key=lambda text: tuple(map(int, text.split("."))), default="")
    if chosen not in versions:
        wanted = f"{name} {version}".strip()
        there = ", ".join(sorted(index)) or "nothing"
        raise BundleError(f"the index has no {wanted}", file=file, found=there, expected="one of these")
    record = versions[chosen]
    try:
        sizes = (int(record[key]) for key in ("size", "unpacked_size", "files"))
        return Release(name, chosen, str(record["sha256"]).lower(), str(record["source"]), *sizes)
    except (KeyError, TypeError, ValueError) as error:
        remedy = "write the index again with `python -m monai_cortex zoo index`"
        raise BundleError(
            "the record of the bundle is incomplete", file=file, found=f"{name} {chosen}: {error}", remedy=remedy
        ) from error
