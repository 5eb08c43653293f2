import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from setuptools.glob import glob

from monai_cortex.errors import ConfigError
from monai_cortex.plugins import scaffold
from monai_cortex.plugins.scaffold import new_plugin, require_plugin_name

ROOT = Path(__file__).parents[2]
SHORT, LONG = "abx", "z" * 40
PARTS = {
    "methods": {""},
    "networks": {"_network"},
    "transforms": {"_read_scan", "_noise_to_unitd"},
    "handlers": {"_writer"},
    "inputs": {""},
    "samples": {""},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A new plugin by name, written once."""
    folder = tmp_path_factory.mktemp("plugins")
    return {name: new_plugin(name, folder) for name in (SHORT, LONG)}


def files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["abx", "my_denoising", "a1_b2", LONG])
def test_good_names_pass(name):
    require_plugin_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "not of the form") for name in ("", "ab", "Abc", "a-b", "1ab", "_abc", "abc_", "a__b", "a.b", "a/b")),
        *((name, "not of the form") for name in ("äbc", "../abc", LONG + "z", "abc\n")),
        *((name, "Python's own") for name in ("lambda", "json", "statistics")),
        ("monai_other", "MONAI looks for"),
        ("plugin_name", "in the template"),
    ],
)
def test_bad_names_are_refused(tmp_path, name, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        new_plugin(name, tmp_path)
    assert "remedy: " in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "abx").mkdir()
    (tmp_path / "abd").touch()
    (tmp_path / "abe").symlink_to("nowhere")
    for name, found in {"abx": "a folder", "abd": "a file", "abe": "a file"}.items():
        with pytest.raises(ConfigError, match="nothing is overwritten") as caught:
            new_plugin(name, tmp_path)
        assert f"found: {found}" in str(caught.value)
    assert not list((tmp_path / "abx").iterdir())
    assert len(list(tmp_path.iterdir())) == 3


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        new_plugin("abx", tmp_path / "file")


@pytest.mark.parametrize(("name", "owner"), [("numpy", "installed module"), ("hemispherical_unet", "monai_cortex")])
def test_names_of_others_are_refused(tmp_path, name, owner):
    with pytest.raises(ConfigError, match=f"(?s)is taken.*{owner}"):
        new_plugin(name, tmp_path)


def test_name_of_an_installed_method_is_refused(distribution, tmp_path):
    distribution("theirs", {"methods": "their_method = their_package:method"})
    with pytest.raises(ConfigError, match=r"theirs 1\.0"):
        new_plugin("their_method", tmp_path)


def test_name_stands_everywhere_and_nothing_of_the_template_is_left(written):
    short, long = (set(files(written[name])) for name in (SHORT, LONG))
    assert {path.replace(LONG, SHORT) for path in long} == short
    assert {f"{SHORT}/network.py", f"{SHORT}/bundles/{SHORT}/LICENSE", "LICENSE", ".ruff.toml"} <= short
    for place, path in files(written[SHORT]).items():
        assert "template" not in place
        if path.suffix not in (".pt", ".png"):
            assert not {word for word in ("plugin_name", "installed_") if word in path.read_text()}, place
    for name in ("models/model.pt", "docs/qc.png"):
        copies = {path.read_bytes() for path in ROOT.glob(f"monai_cortex/plugins/template/**/{name}")}
        assert copies == {(written[SHORT] / SHORT / "bundles" / SHORT / name).read_bytes()}


@pytest.mark.parametrize("name", [SHORT, LONG])
def test_generated_code_keeps_the_style(written, name):
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", str(written[name])]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout


def test_style_is_that_of_the_house(written):
    own, theirs = ((folder / ".ruff.toml").read_text().splitlines() for folder in (ROOT, written[SHORT]))
    assert set(theirs) <= {*own, '"tests/**" = ["ANN", "D", "PLR2004"]'}
    assert (written[SHORT] / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_bundle_keeps_the_rules_of_the_house(written):
    tool = [sys.executable, str(ROOT / "tools" / "lint_bundle.py")]
    folder = written[SHORT] / SHORT / "bundles" / SHORT
    answer = subprocess.run([*tool, str(folder)], capture_output=True, text=True, check=False)
    # Names of a plugin are known once it is installed.
    wrong = [line for line in answer.stdout.splitlines() if ".plugins." not in line]
    assert wrong == [], answer.stderr


def test_metadata_keep_the_schema(written):
    jsonschema = pytest.importorskip("jsonschema")
    metadata = written[SHORT] / SHORT / "bundles" / SHORT / "configs" / "metadata.json"
    jsonschema.validate(json.loads(metadata.read_text()), json.loads((ROOT / "configs" / "schema.json").read_text()))


def test_entry_points_name_what_is_there(written):
    parser = configparser.ConfigParser()
    parser.read(written[SHORT] / "setup.cfg")
    groups = {key.removeprefix("monai_cortex."): text for key, text in parser["options.entry_points"].items()}
    assert set(groups) == set(PARTS)
    for kind, text in groups.items():
        entries = dict(line.split(" = ") for line in text.strip().splitlines())
        assert set(entries) == {f"{SHORT}{end}" for end in PARTS[kind]}
        for target in entries.values():
            module, _, attribute = target.partition(":")
            source = (written[SHORT] / f"{module.replace('.', '/')}.py").read_text()
            assert f"class {attribute}(" in source or f"\n{attribute} = " in source


def test_the_whole_template_is_installed():
    """By the patterns of setup.cfg, as setuptools reads them."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    package = ROOT / "monai_cortex" / "plugins"
    patterns = parser["options.package_data"]["monai_cortex.plugins"].split()
    found = {name for pattern in patterns for name in glob(str(package / pattern), recursive=True)}
    assert {str(path) for path in scaffold._TEMPLATE.rglob("*") if path.is_file()} <= found


@pytest.mark.whole
def test_generated_code_is_type_clean(written):
    """The cache is that of `make lint`, which runs before the tests: without it this takes half a minute."""
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache")]
    answer = subprocess.run(command, cwd=written[SHORT], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.slow
def test_installed_plugin_is_listed_passes_its_own_tests_and_runs(tmp_path):
    pytest.importorskip("pip")
    source = new_plugin("my_denoising", tmp_path / "source")
    target, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT), str(target)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)

    def run(*words):
        command = [sys.executable, "-m", *map(str, words)]
        done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    offline = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run("pip", "install", *offline, "--target", target, source)
    shutil.rmtree(source / "my_denoising")  # what is tested is what was installed
    listed = [line.split() for line in run("monai_cortex", "list").splitlines() if " my_denoising 0.1.0" in line]
    assert [line[0] for line in listed] == ["my_denoising" + end for kind in PARTS for end in sorted(PARTS[kind])]
    assert "passed" in run("pytest", "-q", "-p", "no:cacheprovider", source)
    run("monai.bundle", "run", "--config_file", target / "my_denoising/bundles/my_denoising/configs/inference.json")
    out = elsewhere / "out" / "my_denoising"
    assert len(list(out.glob("phantom-*/denoised.nii.gz"))) == 4
    assert (out / "report.html").is_file()
    assert (out / "mlruns.db").is_file()
