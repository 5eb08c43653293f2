"""The plugin registry, and the names by which a configuration reaches it.

``"_target_": "monai_cortex.plugins.networks.their_net"`` in a bundle is resolved by MONAI's own config parser: it walks
the dotted path attribute by attribute, and the attributes here look the plugin up. Importing this package imports
neither torch nor any plugin.
"""

from __future__ import annotations

from importlib.util import find_spec

from monai_cortex.errors import PluginError

from .record import API_VERSION, KINDS, Method, Plugin
from .registry import available, get, register, require_kind

__all__ = ["API_VERSION", "KINDS", "Method", "Plugin", "PluginError", "available", "get", "register"]

# Neither a __dir__ nor a __all__ may ever list plugins: MONAI's component table looks at all that dir() names, and
# would import every plugin to do so.


class _Kind:
    """The plugins of one kind as attributes, imported when they are first asked for."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):  # probes of copy, inspect and hasattr expect an AttributeError
            raise AttributeError(name)
        return get(self._kind, name)


def __getattr__(name: str) -> _Kind:
    # A submodule that is not imported yet must be reported as missing, or the import statement would not look for it.
    if name.startswith("_") or (name not in KINDS and find_spec(f"{__name__}.{name}")):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_kind(name)
    return _Kind(name)
