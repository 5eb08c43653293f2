import json

import pytest

from monai_cortex.handlers.running_config import running_config

PROGRAM = "/x/monai/bundle/__main__.py"


@pytest.fixture
def configs(tmp_path):
    folder = tmp_path / "configs"
    folder.mkdir()
    contents = {
        "a": {"epochs": 1, "train": {"rate": 0.1}, "handlers": [1], "dataset_dir": "x"},
        "b": {"epochs": 2, "shells": [0, 1000]},
        "metadata": {"version": "1.2.3"},
        "args": {"config_file": str(folder / "a.json"), "epochs": 5},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def run(monkeypatch, *words, program=PROGRAM):
    monkeypatch.setattr("sys.argv", [program, *map(str, words)])
    return running_config()


def test_files_and_overrides_are_merged(configs, monkeypatch):
    files = f"['{configs / 'a.json'}','{configs / 'b.json'}']"
    words = ["--epochs=7", "--train#rate", "1e-3", "--resume", "--dataset_dir", "data", "--shells", "[0,700]"]
    config = run(monkeypatch, "run", "--config_file", files, *words, "--logging_file", "False")
    assert config["epochs"] == 7
    assert config["train"]["rate"] == 1e-3
    assert config["resume"] is True
    assert config["dataset_dir"] == "data"
    assert config["shells"] == [0, 700]
    assert config["_meta_"]["version"] == "1.2.3"
    assert "logging_file" not in config
    assert "config_file" not in config


def test_file_of_arguments_is_read(configs, monkeypatch):
    config = run(monkeypatch, "run", "--args_file", configs / "args.json", "--train::rate", "2")
    assert (config["epochs"], config["train"]["rate"]) == (5, 2)
    assert run(monkeypatch, "run", "training", "--config_file", configs / "b.json")["epochs"] == 2


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("pytest", ["run", "--config_file", "a.json"]),
        (PROGRAM, ["verify_metadata", "--epochs", "3"]),
        (PROGRAM, []),
        (PROGRAM, ["run", "--config_file", "missing.json"]),
    ],
)
def test_other_programs_have_none(program, words, monkeypatch):
    assert run(monkeypatch, *words, program=program) == {}
