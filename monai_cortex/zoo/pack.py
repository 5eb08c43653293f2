"""A bundle as the archive that the stock client downloads: the same bytes from the same files, on every machine."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from monai_cortex.data import atomic_path, read_config
from monai_cortex.errors import BundleError, ConfigError

from .content import bundle_files, wrong_weights
from .structure import bad_metadata

__all__ = ["pack_bundle", "version_of"]

_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say
_MODE = 0o100644 << 16
_UNIX = 3


def version_of(bundle: Path) -> str:
    """Version of a bundle by its metadata.

    Raises:
        BundleError: there is none, or the changelog does not speak of it.
    """
    path = bundle / "configs" / "metadata.json"
    try:
        metadata: dict[str, Any] = read_config(path)
    except ConfigError as error:
        raise BundleError("the bundle's metadata cannot be read", file=path, found=error.args[3]) from error
    for finding in bad_metadata(metadata):
        raise BundleError(f"{finding.where}: {finding.what}", file=path, expected=finding.expected)
    return str(metadata["version"])


def pack_bundle(bundle: Path, out_dir: Path) -> Path:
    """Write ``<out_dir>/<name>_v<version>.zip`` with one root folder of the bundle's name.

    Members are sorted, of one time and one set of permissions; outputs in ``eval`` stay out.

    Args:
        bundle: folder of the bundle, weights inside.
        out_dir: made if missing.

    Returns:
        The archive.

    Raises:
        BundleError: metadata or weights are not in order, or another archive of this version has other bytes.
        ResourceError: the disk is full.
    """
    bundle = bundle.resolve()
    files, version = bundle_files(bundle), version_of(bundle)
    for problem in wrong_weights(bundle):
        raise problem
    archive = out_dir / f"{bundle.name}_v{version}.zip"
    with atomic_path(archive) as temporary:
        with zipfile.ZipFile(temporary, "w") as packed:
            for place in files:
                packed.writestr(_member(bundle, place), (bundle / place).read_bytes())
        if archive.is_file() and archive.read_bytes() != temporary.read_bytes():
            raise BundleError(
                "another archive of this version is there already",
                file=archive,
                expected="equal bytes for one version",
                remedy="raise version in metadata.json, or remove the archive",
            )
    return archive


def _member(bundle: Path, place: Path) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(f"{bundle.name}/{place.as_posix()}", _WHEN)
    member.create_system, member.external_attr = _UNIX, _MODE
    # Deflated bytes differ between versions of zlib, and weights hardly shrink.
    member.compress_type = zipfile.ZIP_STORED
    return member
