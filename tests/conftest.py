"""What all tests share: how much is run, and fixtures by topic, which lie in tests/fixtures."""

import pytest
import torch

pytest_plugins = (
    "bundle_files",
    "cohort_runs",
    "cortices",
    "distributions",
    "engine_runs",
    "joined_processes",
    "scans",
)


def pytest_addoption(parser):
    parser.addoption(
        "--whole", action="store_true", help="Run what only repeats, and random faults as often as promised."
    )
    parser.addoption("--device", default="cuda", help="Of tests/gpu; cpu shows without a GPU that they run.")


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked as a repetition."""
    if config.getoption("whole"):
        return
    repeated = [item for item in items if item.get_closest_marker("whole")]
    config.hook.pytest_deselected(items=repeated)
    items[:] = [item for item in items if not item.get_closest_marker("whole")]


@pytest.fixture
def double_precision():
    """Modules are built in float64, their operators too."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(previous)
