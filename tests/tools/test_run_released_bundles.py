"""The whole of it needs a package index and an hour; here are its parts. tests/zoo download in this environment."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

import click
import pytest


@pytest.fixture
def tool(load_tool):
    return load_tool("run_released_bundles")


@pytest.fixture
def terminal(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    return tool.Terminal(tmp_path, Path(sys.prefix))


def test_a_command_is_printed_with_what_it_says(terminal, tmp_path, capsys):
    words = terminal.run("""python -c "import os; print(os.getcwd()); print('2026-01-01 INFO'); open('a', 'w')" """)
    assert str(tmp_path) in words
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("$ python -c")
    assert lines[1] == str(tmp_path)  # and not the line of a logger
    assert lines[2].endswith(" s]")
    assert (tmp_path / "a").is_file()


def test_nothing_of_the_checkout_is_found_by_accident(terminal):
    assert "False" in terminal.run("""python -c "import os; print('PYTHONPATH' in os.environ)" """)


def test_a_command_that_fails_is_the_end(terminal):
    with pytest.raises(click.ClickException, match="exit code 3"):
        terminal.run('python -c "raise SystemExit(3)"')


def test_the_server_ends_with_its_block(tool, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"bundle")
    with tool.served(tmp_path) as address:
        assert urllib.request.urlopen(f"{address}/a.zip", timeout=5).read() == b"bundle"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/a.zip", timeout=5)
