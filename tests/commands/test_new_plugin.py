import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, ["new-plugin", *map(str, words)])


def test_a_plugin_is_written_and_the_next_commands_are_named(call, tmp_path):
    answer = call("my_denoising", "--output-dir", tmp_path)
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "my_denoising" / "setup.cfg").is_file()
    lines = [line.strip() for line in answer.output.splitlines()]
    assert f"cd {tmp_path / 'my_denoising'}" in lines
    assert "python -m monai_cortex demo my_denoising" in lines


def test_the_working_folder_is_the_default(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("my_denoising").exit_code == 0
    assert (tmp_path / "my_denoising" / "setup.cfg").is_file()


def test_mistakes_are_answered_with_exit_code_2(call, tmp_path):
    answer = call("My-Denoising", "--output-dir", tmp_path)
    assert answer.exit_code == 2
    assert answer.output.startswith("ConfigError: 'My-Denoising'")
    assert not list(tmp_path.iterdir())
