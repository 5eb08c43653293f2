"""One entry of the registry: what a plugin is called, where it comes from and how it is loaded."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from importlib import import_module

from monai_cortex.errors import PluginError

__all__ = ["API_VERSION", "KINDS", "Method", "Plugin"]

API_VERSION = 1
KINDS = (
    *("methods", "networks", "schedulers", "transforms", "losses", "metrics", "inferers", "handlers"),
    *("inputs", "samples"),
)


@dataclass(frozen=True)
class Method:
    """One published method, as a plugin of kind ``methods`` describes it.

    Args:
        name: identifier, the same as the plugin's own name.
        summary: what the method does, in one line.
        network: dotted path that the MONAI config parser resolves to a class or function.
        bundle: its name in the model zoo and of its folder, under ``bundles/`` in the source checkout of this package
            or, for a method of another distribution, in ``bundles/`` inside the package that holds this record.
        paper: ``arXiv:...`` or ``doi:...``.
    """

    name: str
    summary: str
    network: str
    bundle: str
    paper: str


@dataclass(frozen=True)
class Plugin:
    """A named component, known without being imported.

    Args:
        kind: one of :data:`KINDS`.
        name: identifier, unique within its kind.
        target: where the component is, ``module:attribute``.
        source: distribution that brings it; for a component registered at run time, its top-level package.
        version: version of the source, empty if it has none.
        reason: why the plugin cannot be used, empty as long as nothing is known against it.
        component: the component itself if it was registered at run time.
    """

    kind: str
    name: str
    target: str
    source: str
    version: str
    reason: str = ""
    component: object = field(default=None, repr=False, compare=False)

    @property
    def owner(self) -> str:
        """Source and version in one text."""
        return f"{self.source} {self.version}".strip()

    def load(self) -> object:
        """Import the component and return it.

        Raises:
            PluginError: the plugin is broken, claimed twice, of another API version or not of its kind.
        """
        component, reason, cause = self._resolve()
        if reason:
            problem = f"the plugin {self.name!r} of kind {self.kind!r} from {self.owner} cannot be used."
            raise PluginError(problem, found=reason, remedy=f"mend, update or uninstall {self.source}") from cause
        return component

    def checked(self) -> Plugin:
        """The same record with the reason filled in if loading fails; never raises."""
        return replace(self, reason=self._resolve()[1])

    def _resolve(self) -> tuple[object, str, BaseException | None]:
        """Component, reason against it, and the exception behind the reason."""
        if self.reason:
            return None, self.reason, None
        module, _, path = self.target.partition(":")
        try:
            found = import_module(module) if self.component is None else self.component
            if reason := _foreign_api(module):
                return None, reason, None
            component = reduce(getattr, path.split("."), found) if self.component is None else found
        except (Exception, SystemExit) as error:  # one plugin's failure, of any sort, must not stop the others
            return None, " ".join(f"{type(error).__name__}: {error}".split()), error
        return component, _unfit(self.kind, component), None


def _foreign_api(module: str) -> str:
    """Complaint if the module, or a package around it, was written for another version of the plugin interface."""
    parts = module.split(".")
    packages = [sys.modules.get(".".join(parts[: end + 1])) for end in range(len(parts))]
    declared = {getattr(package, "__monai_cortex_api__", API_VERSION) for package in packages} - {API_VERSION}
    versions = ", ".join(sorted(map(repr, declared)))
    return f"written for plugin API {versions}, installed is API {API_VERSION}" if declared else ""


def _unfit(kind: str, component: object) -> str:
    """Complaint if the component is not what its kind promises."""
    if kind == "methods":
        return "" if isinstance(component, Method) else f"not a Method but a {type(component).__name__}"
    if kind == "samples":
        return "" if isinstance(component, Mapping) else f"not a mapping but a {type(component).__name__}"
    if kind == "inputs":
        fit = all(callable(getattr(component, name, None)) for name in ("subjects", "read"))
        return "" if fit else f"no DatasetInputs but a {type(component).__name__}"
    return "" if callable(component) else f"neither a class nor a function but a {type(component).__name__}"
