"""A bundle from a folder or a server: complete and as published under its name, or not there at all."""

from __future__ import annotations

import http.client
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlparse
from urllib.request import urlopen

from monai_cortex.data import atomic_folder, atomic_path, read_config, sha256
from monai_cortex.errors import BundleError, ConfigError

from .archive import FILES, LARGEST, SIZE, unpack
from .content import content_digest
from .index import INDEX, Release, find_release

__all__ = ["fetch_bundle"]

_SECONDS = 30
_BLOCK = 1 << 20
_INDEX_SIZE = 1 << 20
_LIKE_A_PAGE = (b"<!doctype", b"<html", b"<?xml", b"<head")


def fetch_bundle(name: str, place: str, dest: Path, *, version: str = "", digest: str = "") -> Path:
    """Fetch a bundle, check it against the index or a digest, and unpack it.

    Args:
        name: of the bundle.
        place: a folder or an http(s) address that holds archives and their index, or one archive (``.zip``). Without
            an address nothing goes over the network.
        dest: folder that gets the folder ``name``.
        version: ``X.Y.Z``; the latest if left out.
        digest: expected SHA-256 of the archive; needed for a single archive without an index beside it.

    Returns:
        ``dest / name``. If it is there with the same content, it stays as it is.

    Raises:
        BundleError: there is no such bundle, it cannot be fetched, it is not what the index says, its archive is
            unsafe, or another version is in its place. Nothing is left behind then, and what was there stays.
        ResourceError: the disk is full.
    """
    _is_address(place)
    with tempfile.TemporaryDirectory(prefix="monai_cortex_zoo_") as aside:
        archive = Path(aside) / f"{name}.zip"
        release = _release(name, place, version, digest, Path(aside))
        _get(_archive_place(place, release), archive, release.size)
        _require_digest(archive, release, place)
        with _no_new_parents(dest):
            return _publish(archive, name, dest, release)


def _is_address(place: str) -> bool:
    scheme = urlparse(place).scheme
    if "://" in place and scheme not in ("http", "https"):
        raise BundleError("bundles are fetched by http, https or from a folder", found=place, remedy="name a folder")
    return scheme in ("http", "https")


def _release(name: str, place: str, version: str, digest: str, aside: Path) -> Release:
    """What is to be fetched, with the digest that was given, or else that of the index."""
    single = place.lower().endswith(".zip")
    base = place.rpartition("/")[0] if single else place
    try:
        index, where = _read_index(base, aside)
    except BundleError:
        if not (single and digest):
            raise
        return Release(name, version, digest.lower(), place, SIZE, SIZE, FILES)
    if single and (stem := Path(urlparse(place).path).stem) in index:
        version = version or stem.partition("_v")[2]
    release = find_release(index, name, version, where)
    release = release._replace(source=place) if single else release
    return release._replace(sha256=digest.lower()) if digest else release


def _read_index(base: str, aside: Path) -> tuple[dict[str, dict[str, object]], str]:
    """The index of a folder or address, in ``models/`` or directly there."""
    file = aside / "model_info.json"
    failure: BundleError | None = None
    for name in (INDEX, "model_info.json"):
        where = f"{base.rstrip('/')}/{name}" if base else name
        try:
            _get(where, file, _INDEX_SIZE)
            return read_config(file), where
        except BundleError as error:
            failure = failure or error
        except ConfigError as error:
            raise BundleError("the index cannot be read", file=where, found=error.args[3]) from error
    raise BundleError(
        "no index of bundles is there",
        file=base,
        found=failure.args[3] if failure else "",
        expected=INDEX,
        remedy="check the address; for a single archive give its --sha256",
    ) from failure


def _archive_place(place: str, release: Release) -> str:
    if release.source == place:
        return place
    if _is_address(place):
        return urljoin(f"{place.rstrip('/')}/", release.source)
    # Offline: the archive lies in the folder, wherever the index says that it was published.
    return str(Path(place) / f"{release.name}_v{release.version}.zip")


def _get(place: str, target: Path, size: int) -> None:
    """Copy or download a file of at most ``size`` bytes."""
    with _opened(place) as stream, atomic_path(target) as temporary, temporary.open("wb") as sink:
        left = min(size, LARGEST)
        while block := stream.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise BundleError("the file is larger than it should be", file=place, expected=f"{size:,} bytes")
            sink.write(block)


@contextmanager
def _opened(place: str) -> Iterator[BinaryIO]:
    remedy = "check name, version and address, or fetch from a folder"
    try:
        if not _is_address(place):
            with Path(place).open("rb") as stream:
                yield stream
            return
        with urlopen(place, timeout=_SECONDS) as stream:
            yield stream
    except HTTPError as error:
        found = f"HTTP {error.code} {error.reason}"
        raise BundleError("the server does not give the file", file=place, found=found, remedy=remedy) from error
    except (URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
        found = str(getattr(error, "reason", error)) or type(error).__name__
        raise BundleError("the file could not be downloaded", file=place, found=found, remedy=remedy) from error
    except OSError as error:
        found = error.strerror or str(error)
        raise BundleError("the file cannot be read", file=place, found=found, remedy=remedy) from error


def _require_digest(archive: Path, release: Release, place: str) -> None:
    if (found := sha256(archive)) == release.sha256:
        return
    with archive.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
    kind = "a web page" if start.startswith(_LIKE_A_PAGE) else f"{archive.stat().st_size:,} bytes, sha256 {found}"
    raise BundleError(
        "what was fetched is not the archive that the index speaks of; it was thrown away",
        file=place,
        found=kind,
        expected=f"{release.size:,} bytes, sha256 {release.sha256}" if release.size != SIZE else release.sha256,
        remedy="fetch it again; if that fails, ask its author",
    )


def _publish(archive: Path, name: str, dest: Path, release: Release) -> Path:
    target = dest / name
    with tempfile.TemporaryDirectory(prefix="monai_cortex_zoo_") as aside:
        if target.exists():
            # The new one is unpacked elsewhere first: whether the two differ is all that is asked.
            unpack(archive, name, Path(aside), release.unpacked_size, release.files)
            _require_same(Path(aside), target, release)
            return target
    with atomic_folder(target, replace=False) as staging:
        unpack(archive, name, staging, release.unpacked_size, release.files)
        _require_named(staging, target, release)
    return target


def _require_named(folder: Path, target: Path, release: Release) -> None:
    try:
        version = read_config(folder / "configs" / "metadata.json").get("version")
    except ConfigError as error:
        raise BundleError("the archive is no bundle", file=target.name, found=error.args[0]) from error
    if release.version and version != release.version:
        expected = f"version {release.version}"
        raise BundleError("the archive holds another version", file=target.name, found=str(version), expected=expected)


def _require_same(new: Path, target: Path, release: Release) -> None:
    if target.is_dir() and content_digest(new) == content_digest(target):
        return
    raise BundleError(
        "another version, or a changed copy, is there already; it stays as it is",
        file=target,
        found=_version(target),
        expected=f"nothing, or version {release.version} unchanged",
        remedy="move the folder away, or fetch into another one",
    )


def _version(folder: Path) -> str:
    try:
        return f"version {json.loads((folder / 'configs' / 'metadata.json').read_text(encoding='utf-8'))['version']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a file or folder that is no bundle"


@contextmanager
def _no_new_parents(dest: Path) -> Iterator[None]:
    """Remove the folders again that were made for nothing."""
    missing = [folder for folder in (dest, *dest.absolute().parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in missing:
            if folder.is_dir() and not any(folder.iterdir()):
                shutil.rmtree(folder)
        raise
