import contextlib
import io
from dataclasses import replace

import pytest

from monai_cortex.demo import DEMONSTRATIONS, demonstrate


@pytest.fixture
def whole(request):
    """Skips what takes a minute: a small form of it is in the quick suite."""
    if not request.config.getoption("--whole"):
        pytest.skip("a full demonstration; run with --whole")


@pytest.fixture(scope="session")
def show():
    """Run demonstrations as the command does; gives the exit code and what was printed, without the bundles' own."""

    def run(folder, steps=None, **methods):
        """Methods by name: a demonstration, or words of the command that replace or follow its own."""
        chosen = {
            name: given if callable(given) else (lambda name=name, given=given: _changed(name, given))
            for name, given in methods.items()
        }
        screen = io.StringIO()
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
            code = demonstrate(chosen, folder, steps)
        return code, screen.getvalue()

    return run


def _changed(name, words):
    demonstration = DEMONSTRATIONS[name]
    return replace(demonstration, words=[*demonstration.words, *words])
