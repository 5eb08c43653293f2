"""The table of plugins: entry points of installed distributions, and what is registered at run time.

A distribution brings a plugin by an entry point in the group ``monai_cortex.<kind>``; listing reads these texts and
imports nothing. Ours are brought in the same way.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from monai_cortex.errors import PluginError

from .record import KINDS, Plugin

__all__ = ["available", "get", "register", "require_kind"]

T = TypeVar("T")

_PREFIX = "monai_cortex."
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_registered: dict[tuple[str, str], Plugin] = {}


def available(kind: str | None = None, check: bool = False) -> list[Plugin]:
    """Every known plugin, sorted by kind and name.

    Without ``check`` nothing is imported, and only what the entry points themselves show is held against a plugin:
    an unknown kind, an impossible name or target, a name claimed twice.

    Args:
        kind: one of :data:`~monai_cortex.plugins.KINDS`, or None for all.
        check: load every plugin and fill in the reason of those that fail.

    Raises:
        PluginError: there is no such kind.
    """
    if kind is not None:
        require_kind(kind)
    installed = [plugin for plugin in _installed() if (plugin.kind, plugin.name) not in _registered]
    plugins = [plugin for plugin in (*installed, *_registered.values()) if kind in (None, plugin.kind)]
    plugins.sort(key=lambda plugin: (plugin.kind, plugin.name, plugin.owner))
    return [plugin.checked() for plugin in plugins] if check else plugins


def get(kind: str, name: str) -> object:
    """Load one plugin by kind and name.

    Raises:
        PluginError: there is no such kind or name, the name is claimed twice, or the plugin is broken.
    """
    require_kind(kind)
    claims = _claims(kind, name)
    if not claims:
        names = sorted({plugin.name for plugin in available(kind)})
        raise _unknown(f"no plugin of kind {kind!r} is named {name!r}.", name, names, "installed")
    return claims[0].load()


def register(kind: str, name: str | None = None, override: bool = False) -> Callable[[T], T]:
    """Register a component of the running program; to be used as a decorator.

    Args:
        kind: one of :data:`~monai_cortex.plugins.KINDS`.
        name: identifier; the component's own name if left out.
        override: take the name over from the plugin that has it.

    Raises:
        PluginError: there is no such kind, the name is no public identifier, or another component has it.
    """
    require_kind(kind)
    caller = sys._getframe(1).f_globals.get("__name__", "__main__")

    def decorate(component: T) -> T:
        plugin = _describe(kind, name, component, caller)
        if reason := _malformed(plugin):
            raise PluginError(f"{plugin.name!r} cannot be registered as a plugin.", found=reason)
        # An equal target is the same component again, from a reloaded module or a notebook cell run twice.
        rivals = [rival for rival in _claims(kind, plugin.name) if rival.target != plugin.target]
        if rivals and not override:
            problem = f"the name {plugin.name!r} of kind {kind!r} is already taken."
            raise PluginError(problem, found=_both([*rivals, plugin]), remedy="choose another name or override=True")
        _registered[kind, plugin.name] = plugin
        return component

    return decorate


def require_kind(kind: str) -> None:
    """Refuse a kind that does not exist.

    Raises:
        PluginError: there is no such kind; the message names the nearest one.
    """
    if kind not in KINDS:
        raise _unknown(f"there is no kind of plugin named {kind!r}.", kind, KINDS, "kinds")


def _nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that ``name`` was probably meant to be, letter case aside, or None."""
    by_lower_case = {choice.lower(): choice for choice in choices}
    matches = get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None


def _unknown(problem: str, name: str, choices: Iterable[str], what: str) -> PluginError:
    near = _nearest(name, choices)
    remedy = f"did you mean {near!r}?" if near else "list all with: python -m monai_cortex.plugins"
    return PluginError(problem, expected=f"one of the {what}: {', '.join(choices) or 'none'}", remedy=remedy)


def _claims(kind: str, name: str) -> list[Plugin]:
    if (kind, name) in _registered:
        return [_registered[kind, name]]
    return [plugin for plugin in _installed() if (plugin.kind, plugin.name) == (kind, name)]


@cache
def _installed() -> tuple[Plugin, ...]:
    """Plugins of the installed distributions; a distribution found twice on the path counts once."""
    found = entry_points()
    groups = sorted(group for group in found.groups if group.startswith(_PREFIX))
    claims: dict[tuple[str, str], dict[str, Plugin]] = {}
    for entry in (entry for group in groups for entry in found.select(group=group)):
        plugin = _read(entry)
        claims.setdefault((plugin.kind, plugin.name), {}).setdefault(plugin.target, plugin)
    # In the order of their names: that of the search path depends on which finders other packages have installed.
    rivals = (sorted(targets.values(), key=lambda plugin: plugin.owner) for targets in claims.values())
    return tuple(plugin for group in rivals for plugin in _judge(group))


def _read(entry: EntryPoint) -> Plugin:
    source, version = _distribution(entry)
    target = "".join(entry.value.partition("[")[0].split())  # extras behind the target are obsolete, without meaning
    return Plugin(entry.group.removeprefix(_PREFIX), entry.name, target, source or "an unknown distribution", version)


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point belongs to, empty where its metadata are missing."""
    try:
        metadata = entry.dist.metadata if entry.dist else None
    except Exception:  # the backport of importlib.metadata raises where the standard library returns nothing
        return "", ""
    name, version = (str(metadata[key]) if metadata and key in metadata else "" for key in ("Name", "Version"))
    return name, version


def _judge(rivals: list[Plugin]) -> list[Plugin]:
    """Give the claimants of one name the reason that holds against them, if any."""
    if len(rivals) > 1:
        return [replace(plugin, reason=f"claimed twice: {_both(rivals)}") for plugin in rivals]
    return [replace(plugin, reason=_malformed(plugin)) for plugin in rivals]


def _both(rivals: Iterable[Plugin]) -> str:
    return " and ".join(f"{plugin.target} from {plugin.owner}" for plugin in rivals)


def _malformed(plugin: Plugin) -> str:
    """What is wrong with a plugin by its texts alone."""
    if plugin.kind not in KINDS:
        near = _nearest(plugin.kind, KINDS)
        return f"unknown kind {plugin.kind!r}" + (f", did you mean {near!r}?" if near else "")
    if not plugin.name.isidentifier() or plugin.name.startswith("_"):
        return f"the name {plugin.name!r} is not a public identifier"
    if plugin.component is None and not _TARGET.fullmatch(plugin.target):
        return f"the target {plugin.target!r} does not read module:attribute"
    return ""


def _describe(kind: str, name: str | None, component: object, caller: str) -> Plugin:
    """Record of a component of the running program; it belongs to the package that registers it."""
    own_name = getattr(component, "__qualname__", "")
    module = component.__module__ if own_name else caller
    name = name or own_name.rpartition(".")[2] or str(getattr(component, "name", ""))
    package = caller.partition(".")[0]
    version = getattr(sys.modules.get(package), "__version__", "")
    return Plugin(kind, name, f"{module}:{own_name or name}", package, version, component=component)
