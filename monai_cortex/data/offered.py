"""What installed distributions offer to this package by entry points, found by the name of a method."""

from __future__ import annotations

from importlib.metadata import entry_points

from monai_cortex.errors import PluginError

__all__ = ["offered", "offered_names", "offering_packages"]


def offered(kind: str, name: str) -> object | None:
    """Load what a distribution offers as an entry point of the group ``monai_cortex.<kind>``.

    Args:
        kind: of plugin, such as "samples".
        name: of the method.

    Returns:
        The object, or None where nobody offers one.

    Raises:
        PluginError: two offer one, or it cannot be imported.
    """
    found = {entry.value: entry for entry in entry_points(group=f"monai_cortex.{kind}") if entry.name == name}
    if not found:
        return None
    if len(found) > 1:
        raise PluginError(
            f"{kind} of {name!r} are offered twice",
            found=", ".join(sorted(found)),
            expected="one distribution that offers them",
            remedy="uninstall the other",
        )
    value, entry = next(iter(found.items()))
    try:
        return entry.load()
    except Exception as error:  # of any sort: it is somebody else's code
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = "mend, update or uninstall the distribution that offers them"
        raise PluginError(f"{kind} of {name!r} cannot be loaded", file=value, found=reason, remedy=remedy) from error


def offered_names(kind: str) -> list[str]:
    """Names of the methods for which something of a kind is offered, sorted; nothing is imported."""
    return sorted(set(entry_points(group=f"monai_cortex.{kind}").names))


def offering_packages(kind: str) -> list[str]:
    """Top-level packages that offer something of a kind, sorted; nothing is imported."""
    values = (entry.value for entry in entry_points(group=f"monai_cortex.{kind}"))
    packages = {value.partition(":")[0].partition(".")[0].strip() for value in values}
    return sorted(package for package in packages if package.isidentifier())
