import pytest
from click.testing import CliRunner

from monai_cortex.plugins import available
from monai_cortex.plugins.__main__ import main

TEXTS = {"main_good.py": "class Net:\n    pass\n", "main_bad.py": "import no_such_module_anywhere"}


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_the_listing_has_one_row_a_plugin(install, run):
    install("main-dist", {"monai_cortex.losses": ["good_one = main_good:Net", "bad_one = main_bad:Net"]}, TEXTS)
    result = run()
    header, *rows = (line.split() for line in result.output.splitlines())
    assert result.exit_code == 0
    assert header == ["kind", "name", "target", "distribution", "version"]
    assert ["losses", "bad_one", "main_bad:Net", "main-dist", "1.0"] in rows
    assert [row[:2] for row in rows] == [[plugin.kind, plugin.name] for plugin in available()]


def test_a_check_fails_if_one_is_broken_and_lists_all(install, run):
    install("main-dist", {"monai_cortex.losses": ["good_one = main_good:Net", "bad_one = main_bad:Net"]}, TEXTS)
    result = run("--check")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    bad = next(number for number, line in enumerate(lines) if "main_bad:Net" in line)
    good = next(number for number, line in enumerate(lines) if "main_good:Net" in line)
    assert "broken: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in lines[bad + 1]
    assert "broken" not in lines[good + 1]


def test_a_new_process_lists_what_is_installed(python, write_distribution, tmp_path):
    write_distribution(tmp_path, "main-dist", {"monai_cortex.losses": ["good_one = main_good:Net"]})
    finished = python("-m", "monai_cortex.plugins", folders=[tmp_path])
    assert finished.returncode == 0, finished.stderr
    assert "main_good:Net" in finished.stdout
    assert "shd_deconvolution" in finished.stdout


def test_running_the_package_makes_no_second_table(python):
    code = """
import runpy
from monai_cortex.plugins import register
register("losses", "own_loss")(len)
runpy.run_module("monai_cortex.plugins", run_name="__main__")
"""
    finished = python("-c", code)
    assert "builtins:len" in finished.stdout, finished.stderr
