"""The files of a bundle, and one number that stands for all of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from monai_cortex.data import bundle_identity, read_config, sha256, sidecar_path, write_sidecar
from monai_cortex.errors import BundleError

__all__ = ["bundle_files", "content_digest", "recorded_digest", "seal", "wrong_weights"]

_WEIGHTS = ".pt"
_LEFT_OUT = {"__pycache__", ".git", ".DS_Store"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


def bundle_files(bundle: Path) -> list[Path]:
    """The files that belong to a bundle, relative to it, sorted: all but outputs in ``eval`` and what Python leaves.

    Raises:
        BundleError: there is no such folder, or a file in it is a link or no regular file.
    """
    if not bundle.is_dir():
        raise BundleError("there is no such bundle", file=bundle, expected="the folder of a bundle")
    found = []
    for path in bundle.rglob("*"):
        place = path.relative_to(bundle)
        if place.parts[0] == "eval" or _LEFT_OUT & set(place.parts) or ".partial" in path.name:
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleError("a bundle holds regular files alone", file=path, found="a link, a pipe or a device")
        found += [place] if path.is_file() else []
    return sorted(found, key=lambda place: place.as_posix())


def content_digest(bundle: Path) -> str:
    """SHA-256 over names and contents of a bundle's files, 64 hexadecimal digits; the same for every copy of it."""
    lines = [f"{sha256(bundle / place)}  {place.as_posix()}\n" for place in bundle_files(bundle)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def recorded_digest(weights: Path) -> str | None:
    """The sha256 that the record beside a weights file, ``<name>.json``, gives; None where there is no record."""
    record = sidecar_path(weights)
    if not record.is_file():
        return None
    digest = str(read_config(record).get("sha256", ""))
    return digest.lower() if _DIGEST.fullmatch(digest.lower()) else ""


def wrong_weights(bundle: Path) -> list[BundleError]:
    """What is wrong with the digests of the weights: damaged, unrecorded, or recorded and not there."""
    places = bundle_files(bundle)
    weights = [bundle / place for place in places if place.suffix == _WEIGHTS]
    problems = [problem for path in weights if (problem := _wrong(path)) is not None]
    records = [bundle / place.with_suffix("") for place in places if place.name.endswith(f"{_WEIGHTS}.json")]
    lost = [path for path in records if path not in weights]
    return problems + [BundleError("weights are missing", file=path, expected="a file") for path in lost]


def _wrong(weights: Path) -> BundleError | None:
    expected, found = recorded_digest(weights), sha256(weights)
    if expected == found:
        return None
    if expected is None:
        problem, expected = "nothing is recorded of the weights", f"its sha256 in {sidecar_path(weights).name}"
    else:
        problem = "the weights are not those that were recorded"
        expected = f"sha256 {expected or 'of 64 hexadecimal digits'} in {sidecar_path(weights).name}"
    remedy = "get the bundle again; if the weights are your own, run `python -m monai_cortex zoo seal BUNDLE`"
    return BundleError(problem, file=weights, found=f"sha256 {found}", expected=expected, remedy=remedy)


def seal(bundle: Path) -> list[Path]:
    """Record the digest of each of a bundle's weights, and the bundle's name and version, beside it.

    Training does this itself; whoever puts other weights into a bundle does it once.

    Returns:
        The records.
    """
    weights = [bundle / place for place in bundle_files(bundle) if place.suffix == _WEIGHTS]
    if not weights:
        raise BundleError("the bundle has no weights", file=bundle, expected="models/model.pt")
    for path in weights:
        write_sidecar(path, bundle_identity(bundle))
    return [sidecar_path(path) for path in weights]
