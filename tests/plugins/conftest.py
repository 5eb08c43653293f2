import os
import subprocess
import sys

import pytest

from monai_cortex.plugins import registry


def write(target, name, entries, modules=None, version="1.0"):
    """Lay out an installed distribution as an installer does: its modules, and its dist-info beside them."""
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in entries.items())
    (info / "entry_points.txt").write_text("\n".join(groups))
    for path, text in (modules or {}).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text)


@pytest.fixture(scope="session")
def write_distribution():
    return write


@pytest.fixture(scope="session")
def python():
    """Run a new interpreter that sees the given folders; returns the finished process."""

    def run(*arguments, folders=()):
        path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)

    return run


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install distributions for one test, into a registry that knows nothing of what other tests registered."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_registered", {})
    before = set(sys.modules)
    registry._installed.cache_clear()

    def install_one(*args, **kwargs):
        write(tmp_path, *args, **kwargs)
        registry._installed.cache_clear()

    yield install_one
    registry._installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
