import os
import subprocess
import sys

import pytest

START = "from monai_cortex.handlers.error_messages import plain_errors\nplain_errors()\nplain_errors()\n"
RAISE = {
    "direct": "raise CheckpointError('damaged', file='a.pt')",
    "cause": "try: raise CheckpointError('damaged', file='a.pt')\nexcept Exception as e: raise KeyError('x') from e",
    "context": "try: raise CheckpointError('damaged', file='a.pt')\nexcept Exception: 1 / 0",
    "deep": "try:\n try: raise CheckpointError('damaged', file='a.pt')\n except Exception: 1 / 0\n"
    "except Exception as e: raise RuntimeError('x') from e",
    "silenced": "try: raise CheckpointError('damaged', file='a.pt')\nexcept Exception: raise ValueError('x') from None",
}


def fail(lines, **environment):
    code = f"from monai_cortex.errors import CheckpointError\n{START}{lines}"
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lines", RAISE.values(), ids=RAISE.keys())
def test_only_the_error_of_the_chain_is_shown(lines):
    process = fail(lines)
    assert process.returncode == 1
    assert process.stderr == "CheckpointError: damaged\n  in: a.pt\n"
    assert process.stdout == ""


def test_other_errors_keep_their_traceback():
    process = fail("1 / 0")
    assert process.returncode == 1
    assert process.stderr.count("Traceback") == 1
    assert "ZeroDivisionError" in process.stderr


def test_debugging_keeps_the_traceback():
    process = fail(RAISE["cause"], MONAI_CORTEX_DEBUG="1")
    assert process.stderr.count("Traceback") == 2
    assert "CheckpointError" in process.stderr


def test_a_chain_that_is_a_ring_ends():
    process = fail("a, b = ValueError('a'), KeyError('b')\na.__cause__, b.__cause__ = b, a\nraise a")
    assert process.returncode == 1
    assert "ValueError" in process.stderr


def test_importing_it_loads_neither_monai_nor_torch():
    process = fail("import sys; sys.exit(len({'monai', 'torch', 'mlflow'} & set(sys.modules)))")
    assert process.returncode == 0
