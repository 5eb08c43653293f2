"""A configuration that writes to the screen passes; every other is in tests/faults."""

from pathlib import Path

import pytest

from monai_cortex.zoo.log_settings import unsafe_log_settings

ROOT = Path(__file__).parents[2]


def test_ours_passes():
    assert list(unsafe_log_settings(ROOT / "configs" / "logging.conf")) == []


@pytest.mark.parametrize("args", ["()", "(sys.stderr,)", "( sys.stdout )"])
def test_screen_passes(tmp_path, args):
    path = tmp_path / "logging.conf"
    path.write_text(f"[handler_x]\nclass = logging.StreamHandler\nargs = {args}\n")
    assert list(unsafe_log_settings(path)) == []


@pytest.mark.parametrize("text", ["nonsense", "[a]\n[a]\n"])
def test_unreadable_is_a_finding(tmp_path, text):
    path = tmp_path / "logging.conf"
    path.write_text(text)
    assert [finding.where for finding in unsafe_log_settings(path)] == ["file"]
