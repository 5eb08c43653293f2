"""The flat names of the room, which configs use."""

import importlib
import pkgutil
from types import ModuleType

import monai_cortex.handlers


def test_flat_names_are_components_also_when_every_module_is_loaded():
    for module in pkgutil.iter_modules(monai_cortex.handlers.__path__):
        importlib.import_module(f"monai_cortex.handlers.{module.name}")
    found = {name: getattr(monai_cortex.handlers, name) for name in monai_cortex.handlers.__all__}
    assert [name for name, part in found.items() if isinstance(part, ModuleType)] == []
    assert all(callable(part) for part in found.values())
