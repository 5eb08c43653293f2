import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository():
    return ROOT


@pytest.fixture(scope="session")
def load_tool():
    """Load a script of tools/ as a module, by name; as when it runs, it finds what lies beside it."""

    def load(name):
        path = ROOT / "tools" / f"{name}.py"
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        module_name = f"tool_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
