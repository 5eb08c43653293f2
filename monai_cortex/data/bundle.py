"""Where a bundle lies, and what its metadata say."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai_cortex.errors import BundleError

from .offered import offering_packages

__all__ = ["bundle_folder", "bundle_identity", "read_metadata"]

_METADATA = Path("configs") / "metadata.json"


def bundle_folder(name: str) -> str:
    """Find the folder of a bundle.

    A config cannot say where it lies. Looked at, in this order: the folder above the config that the command line
    names, the working folder, ``bundles/<name>`` below it, the source checkout that holds this package, and
    ``bundles/<name>`` inside every installed package that brings a method.

    Args:
        name: of the bundle, its slug.

    Returns:
        Absolute path of the folder that holds ``configs/metadata.json``.

    Raises:
        BundleError: if none of them is the bundle.
    """
    shelves = [Path("bundles"), Path(__file__).parents[2] / "bundles", *_shelves_of_methods()]
    places = [*_running_configs(), Path.cwd(), *(shelf / name for shelf in shelves)]
    for place in places:
        if (place / _METADATA).is_file() and _is_bundle(place, name):
            return str(place.resolve())
    raise BundleError(
        f"the folder of bundle {name!r} is not known",
        found=f"no {_METADATA} of it in {', '.join(str(place) for place in places)}",
        expected="the bundle's folder",
        remedy="run from the bundle's folder, or add --bundle_root FOLDER",
    )


def read_metadata(bundle_root: str | Path) -> dict[str, Any]:
    """Metadata of the bundle in a folder.

    Raises:
        BundleError: if the file is missing or no JSON object.
    """
    path = Path(bundle_root) / _METADATA
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError("the bundle's metadata cannot be read", file=path, found=str(error)) from error
    if not isinstance(record, dict):
        raise BundleError("the bundle's metadata are no JSON object", file=path, found=type(record).__name__)
    return record


def bundle_identity(bundle_root: str | Path) -> dict[str, str]:
    """``bundle``, the name of the folder without a version at its end; ``name`` and ``version`` of its metadata.

    Args:
        bundle_root: folder of the bundle; without metadata the version is ``unknown``, and there is no ``name``.
    """
    try:
        metadata = read_metadata(bundle_root)
    except BundleError:
        metadata = {}
    slug = re.sub(r"_v[\d.]+$", "", Path(bundle_root).resolve().name)
    name = {"name": str(metadata["name"])} if "name" in metadata else {}
    return {"bundle": slug, **name, "version": str(metadata.get("version", "unknown"))}


def _running_configs() -> Iterator[Path]:
    """Folders of the bundles whose configs stand on the command line, lists such as ``"['a.json','b.json']"`` too."""
    for word in sys.argv:
        for part in word.strip("[]").replace('"', "").replace("'", "").split(","):
            path = Path(part.strip())
            if path.suffix == ".json" and path.parent.name == "configs" and path.is_file():
                yield path.parent.parent


def _shelves_of_methods() -> Iterator[Path]:
    """Where other distributions keep the bundles of their methods; none of them is imported."""
    for package in offering_packages("methods"):
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            yield Path(folder) / "bundles"


def _is_bundle(folder: Path, name: str) -> bool:
    """Whether the folder is the bundle of that name: by its own name, or by the config that runs there."""
    return folder.resolve().name == name or folder.resolve().name.startswith(f"{name}_v")
