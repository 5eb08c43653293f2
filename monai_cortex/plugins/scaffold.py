"""A new plugin to start from: a distribution with a network, a transform, a method, its bundle and its tests.

What is written lies in ``template/`` beside this file, with ``plugin_name`` in place of the name, in contents and in
paths; ``.template`` ends the names of files that tools would take for modules or settings of this package.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from monai_cortex.data import atomic_folder
from monai_cortex.errors import ConfigError

from .registry import available

__all__ = ["new_plugin", "require_plugin_name"]

_TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SHORTEST, _LONGEST = 3, 40
# The license is that of the bundle, too, which is passed on alone.
_LICENSE = ("LICENSE", "plugin_name/bundles/plugin_name/LICENSE")
_BINARY = (".pt", ".png")
_VERSIONS = ("monai_cortex", "monai", "torch", "numpy", "pytorch-ignite")


def new_plugin(name: str, output_dir: str | Path = ".") -> Path:
    """Write a third-party distribution that works as it is.

    Args:
        name: of distribution, package, method and bundle.
        output_dir: gets the folder ``<name>``, complete or not at all.

    Returns:
        The new folder.

    Raises:
        ConfigError: the name cannot be used, something has it already, or nothing can be written there.
        ResourceError: the disk is full.
    """
    require_plugin_name(name)
    place = Path(output_dir) / name
    if place.exists() or place.is_symlink():
        raise ConfigError(
            "nothing is overwritten",
            file=place,
            found="a folder" if place.is_dir() else "a file",
            expected="nothing under this name",
            remedy="choose another name or --output-dir, or move it away",
        )
    _require_free(name)
    words = {f"installed_{package.replace('-', '_')}": _release(package) for package in _VERSIONS}
    words["plugin_name"] = name
    try:
        with atomic_folder(place, replace=False) as staging:
            _fill(staging, words)
    except OSError as error:
        found, remedy = error.strerror or str(error), "choose another --output-dir"
        raise ConfigError("the plugin cannot be written", file=place, found=found, remedy=remedy) from error
    return place


def require_plugin_name(name: str) -> None:
    """Refuse what is no good name of a distribution, a package and a method at once.

    Raises:
        ConfigError: with what a name must be.
    """
    reason = ""
    if not _NAME.fullmatch(name) or not _SHORTEST <= len(name) <= _LONGEST:
        reason = "not of the form"
    elif iskeyword(name) or name in sys.stdlib_module_names:
        reason = "a word or module of Python's own"
    elif name.startswith("monai"):
        reason = "begins with monai: MONAI looks for its own classes in all modules that do"
    elif name == "plugin_name":
        reason = "stands for the name in the template"
    if reason:
        raise ConfigError(
            f"{name!r} cannot be the name of a plugin",
            found=reason,
            expected=f"{_SHORTEST} to {_LONGEST} letters a to z, digits and single underscores, a letter first",
            remedy="choose another, such as my_denoising",
        )


def _require_free(name: str) -> None:
    owners = [plugin.owner for plugin in available() if plugin.name == name]
    spec = find_spec(name)
    if spec is not None and spec.origin is not None:
        owners.append("an installed module")
    if owners:
        raise ConfigError(
            f"the name {name!r} is taken",
            found=f"by {owners[0]}",
            expected="a name that no installed module, method or component has",
            remedy="choose another, or uninstall the one that has it",
        )


def _release(package: str) -> str:
    """Installed version without what a build adds to it, such as ``+cpu``."""
    return version(package).partition("+")[0]


def _files() -> list[tuple[str, bytes]]:
    """Path below the new folder and content of every file of the template."""
    paths = sorted(path for path in _TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    files = [(path.relative_to(_TEMPLATE).as_posix().removesuffix(".template"), path.read_bytes()) for path in paths]
    source, copy = _LICENSE
    return [*files, (copy, dict(files)[source])]


def _fill(folder: Path, words: dict[str, str]) -> None:
    for path, content in _files():
        target = folder / path.replace("plugin_name", words["plugin_name"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if target.suffix in _BINARY else _filled(content, words))


def _filled(content: bytes, words: dict[str, str]) -> bytes:
    for word, value in sorted(words.items(), reverse=True):  # the longer of two that begin alike first
        content = content.replace(word.encode(), value.encode())
    return content
