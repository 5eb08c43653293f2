"""Every rule of the linter is silent on a good bundle and speaks, alone, on one planted violation."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

BUNDLES = sorted(path.parents[1] for path in Path(__file__).parents[2].glob("bundles/*/configs/metadata.json"))
COMMON = {"bundle_root": ".", "dataset_dir": "data", "output_dir": "out", "device": "cpu", "seed": 0, "num_workers": 0}
TRAIN = {"epochs": 2, "val_interval": 1, "learning_rate": 0.1, "batch_size": 1, "resume": False}
NETWORK = {"_target_": "monai_cortex.networks.nets.HemisphericalUNet", "channels": [1, 2]}


def described(ids):
    return {"_desc_": {name: "what it means" for name in ids}, **ids}


def good_configs():
    inference = {
        "imports": ["$import glob", "$import os", "$import numpy as np", "$import monai_cortex"],
        **described(COMMON),
        "version": "@_meta_::version",
        "network_def": dict(NETWORK),
        "network": "$@network_def.to(@device)",
        "files": "$[os.path.join(@dataset_dir, name) for name in @names]",
        "names": "$sorted(glob.glob('*.txt'))",
        "contact": "someone@example.org",
        "run": ["$@network.eval()"],
    }
    train = {
        **described(COMMON | TRAIN),
        "network_def": dict(NETWORK),
        "steps": "$list(map(lambda step: step * 2, range(@epochs)))",
        "train": {"sampler": None, "transforms": [{"_target_": "monai.transforms.Compose", "transforms": []}]},
        "validate": {"transforms": "%train::transforms", "first": "@validate::transforms::0::transforms"},
        "run": ["$torch.manual_seed(@seed)", "$@train#transforms#0"],
    }
    overlay = {"train#sampler": {"_target_": "monai.data.DistributedSampler", "dataset": "@train::transforms"}}
    settings = {"handlers_id": {}, "configs": {"trainer": {"_target_": "functools.partial", "func": "@output_dir"}}}
    metadata = {"version": "0.1.0"}
    names = ("inference", "train", "multi_gpu_train", "mlflow", "metadata")
    return dict(zip(names, (inference, train, overlay, settings, metadata), strict=True))


@pytest.fixture
def lint(load_tool):
    return load_tool("lint_bundle")


@pytest.fixture
def write(tmp_path):
    """Write a good bundle, with entries added to one of its configs."""

    def write(config="inference", **changes):
        configs = good_configs()
        configs[config].update(changes)
        folder = tmp_path / "good" / "configs"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in configs.items():
            (folder / f"{name}.json").write_text(json.dumps(content, indent=4))
        return folder.parent

    return write


def test_good_bundle_is_clean(lint, write):
    assert lint.lint(write()) == []


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_our_bundles_are_clean(lint, bundle):
    assert [str(finding) for finding in lint.lint(bundle)] == []


@pytest.mark.parametrize(
    "target",
    [
        "Compose",
        "monai_x.transforms.Compose",
        "os.system",
        "builtins.eval",
        "torch.os.system",
        "monai.utils.optional_import",
        "torch._utils.thing",
        "torch.load",
        "torch.hub.load",
        "monai.bundle.download",
        "monai.transforms.",
        7,
    ],
)
def test_target_outside_the_allowed_packages(lint, write, target):
    (finding,) = lint.lint(write(part={"_target_": target}))
    assert finding.where == "part::_target_"
    assert repr(target) in finding.what


@pytest.mark.parametrize("target", ["torch.optim.Adam", "ignite.metrics.Loss", "monai.data.Dataset", "os.path.join"])
def test_target_inside_the_allowed_packages(lint, write, target):
    assert lint.lint(write(part={"_target_": target})) == []


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("$__import__('os').system('ls')", "__import__"),
        ("$os.system('ls')", "os.system"),
        ("$open('file')", "open"),
        ("$eval('1')", "eval"),
        ("$exec('1')", "exec"),
        ("$getattr(torch, 'os')", "getattr"),
        ("$torch.os.system('ls')", "torch.os.system"),
        ("$[torch][0].os.system('ls')", "?.os"),
        ("$().__class__.__bases__", "?.__class__"),
        ("$@network.os.remove('x')", "?.os"),
        ("$(lambda os: 1)(2) or os.remove('x')", "os"),
        ("$[eval for eval in [1]]", "eval"),
        ("$scripts.run()", "scripts.run"),
        ("$os", "os"),
        ("$@network +", "not Python"),
        ("$@a; @b", "not Python"),
    ],
)
def test_unsafe_expression(lint, write, expression, named):
    findings = [finding for finding in lint.lint(write(part=expression)) if finding.what.startswith("expression with")]
    assert [finding.where for finding in findings] == ["part"]
    assert named in findings[0].what


@pytest.mark.parametrize(
    "statement", ["$import subprocess", "$from os import system", "$import os as np", "$import os; os.remove('x')"]
)
def test_import_of_something_else(lint, write, statement):
    (finding,) = lint.lint(write(imports=["$import glob", statement]))
    assert finding.where == "imports::1"
    assert statement[1:] in finding.what


def test_import_in_another_place(lint, write):
    (finding,) = lint.lint(write(start=["$import os"]))
    assert (finding.where, finding.what) == ("start::0", "statement 'import os'")


def test_longest_expression(lint, write):
    assert lint.lint(write(part="$1" + "+1" * 29)) == []
    (finding,) = lint.lint(write(part="$11" + "+1" * 29))
    assert "61 characters" in finding.what


def test_number_of_expressions(lint, write):
    free = 12 - 4  # a good inference config holds four; its statements in imports do not count
    assert lint.lint(write(part=["$1"] * free)) == []
    (finding,) = lint.lint(write(part=["$1"] * (free + 1)))
    assert finding.what == "13 expressions"


def test_number_of_targets(lint, write):
    part = {"_target_": "torch.nn.ReLU"}
    assert lint.lint(write(part=[part] * 29)) == []
    (finding,) = lint.lint(write(part=[part] * 30))
    assert finding.what == "31 targets"


def test_number_of_lines(lint, write):
    (finding,) = lint.lint(write(part=list(range(300))))
    assert "lines" in finding.what
    assert finding.expected == "at most 250"


@pytest.mark.parametrize("macro", ["%other.json", "%../configs/other.yaml::part", "%OTHER.JSON#part"])
def test_file_macro(lint, write, macro):
    (finding,) = lint.lint(write(part=macro))
    assert "file macro" in finding.what


def test_import_in_an_id(lint, write):
    (finding,) = lint.lint(write(importance=1))
    assert (finding.where, finding.what) == ("importance", 'id holds the text "import"')


def test_import_beside_a_reference(lint, write):
    (finding,) = lint.lint(write(part="$@seed if 'import' else 0"))
    assert finding.what == 'expression with a reference and "import"'


def test_placeholder(lint, write):
    assert [finding.where for finding in lint.lint(write(part={"a": ["???"]}))] == ["part::a::0"]
    assert [finding.file for finding in lint.lint(write("metadata", task="???"))] == ["good/configs/metadata.json"]


@pytest.mark.parametrize(
    ("value", "lost"),
    [
        ("@sede", "sede"),
        ("$@network_def::chanels", "network_def::chanels"),
        ("@network_def#channels#2", "network_def::channels::2"),
        ("%network_deff", "network_deff"),
        ("@_meta_::changelog", "_meta_::changelog"),
        ("@names::0", "names::0"),
    ],
)
def test_missing_reference(lint, write, value, lost):
    (finding,) = lint.lint(write(part=value))
    assert (finding.where, finding.what) == ("part", f"reference @{lost}")


def test_missing_reference_says_what_was_meant(lint, write):
    (finding,) = lint.lint(write(part="@output_dri"))
    assert finding.expected == "output_dir"


def test_reference_of_an_overlay(lint, write):
    (finding,) = lint.lint(write("multi_gpu_train", part="@train::samplers"))
    assert (finding.file, finding.what) == ("good/configs/multi_gpu_train.json", "reference @train::samplers")


@pytest.mark.parametrize("change", [{"+train": {"other": 1}}, {"train#other": 1}, {"train::other": 1}])
def test_overlay_answers_its_own_references(lint, write, change):
    assert lint.lint(write("multi_gpu_train", part="@train::other", **change)) == []


def test_inference_stands_alone(lint, write):
    (finding,) = lint.lint(write(part="@epochs"))
    assert finding.what == "reference @epochs"


def test_metadata_is_text(lint, write):
    assert lint.lint(write("metadata", description="$5 a scan", task="@home", data_source="%a.json")) == []


def test_reference_of_the_tracking_settings(lint, write):
    (finding,) = lint.lint(write("mlflow", configs={"part": "@outputs_dir"}))
    assert finding.file == "good/configs/mlflow.json"


@pytest.mark.parametrize("config", ["inference", "train"])
@pytest.mark.parametrize("name", list(COMMON))
def test_common_id_missing(lint, write, config, name):
    bundle = write()
    path = bundle / "configs" / f"{config}.json"
    content = json.loads(path.read_text())
    del content[name]
    path.write_text(json.dumps(content))
    findings = [str(finding) for finding in lint.lint(bundle)]
    assert f"good/configs/{config}.json: {name}: common id is missing" in findings[0]


@pytest.mark.parametrize("name", list(TRAIN))
def test_training_id_missing(lint, write, name):
    content = good_configs()["train"]
    del content[name]
    bundle = write()
    (bundle / "configs" / "train.json").write_text(json.dumps(content))
    assert name in [finding.where for finding in lint.lint(bundle) if finding.what == "common id is missing"]


@pytest.mark.parametrize("text", [{"seed": "start"}, "bundle_root dataset_dir output_dir", None])
def test_common_id_without_description(lint, write, text):
    findings = lint.lint(write("inference", _desc_=text))
    assert {finding.what for finding in findings} == {"common id is not in _desc_"}
    assert len(findings) == len(COMMON) - isinstance(text, dict)


def test_duplicate_key(lint, write):
    bundle = write()
    path = bundle / "configs" / "inference.json"
    path.write_text(path.read_text().replace('"run":', '"seed": 1, "run":'))
    (finding,) = lint.lint(bundle)
    assert finding.what.startswith("a key appears twice, line ")
    assert finding.what.endswith("'seed'")


@pytest.mark.parametrize("text", ["{", "[1]", "", "[" * 100_000])
def test_unreadable_config_is_a_finding(lint, write, text):
    bundle = write()
    (bundle / "configs" / "extra.json").write_text(text)
    assert [finding.file for finding in lint.lint(bundle)] == ["good/configs/extra.json"]


def test_yaml_is_a_finding_and_is_listed(lint, write):
    bundle = write()
    (bundle / "configs" / "extra.yaml").write_text("part:\n  _target_: torch.nn.ReLU\n  width: $1 + 1\n")
    (finding,) = lint.lint(bundle)
    assert finding.file == "good/configs/extra.yaml"
    assert [line for line in lint.listing(bundle) if line.startswith("extra")] == [
        "extra.yaml: part::_target_: torch.nn.ReLU",
        "extra.yaml: part::width: $1 + 1",
    ]


def test_scripts_folder(lint, write):
    bundle = write()
    (bundle / "scripts").mkdir()
    (finding,) = lint.lint(bundle)
    assert str(finding).startswith("good: scripts: ")


@pytest.mark.parametrize("name", ["metadata", "inference", "train"])
def test_incomplete_bundle(lint, write, name):
    bundle = write()
    (bundle / "configs" / f"{name}.json").unlink()
    assert f"good/configs/{name}.json: file: missing, expected a complete bundle, write it" in map(
        str, lint.lint(bundle)
    )


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("epcohs", "epochs"),
        ("train#trainer#max_epoch", "train::trainer::max_epochs"),
        ("--epcohs", "epochs"),
        ("zzz", "an id of this config"),
    ],
)
def test_unknown_override(lint, override, meant):
    keys = {"epochs", "seed", "train", "train::trainer", "train::trainer::max_epochs"}
    assert lint.unknown_overrides(keys, ["seed", override]) == {override: meant}


def test_known_overrides(lint):
    keys = {"epochs", "network_def", "network_def::_target_"}
    assert (
        lint.unknown_overrides(keys, ["--epochs", "+network_def", "network_def#_target_", "network_def#dropout"]) == {}
    )


def test_command_line(lint, write):
    bundle = str(write())
    assert CliRunner().invoke(lint.main, [bundle, "--override", "epochs=3"]).exit_code == 0
    result = CliRunner().invoke(lint.main, [bundle, "--override", "epcohs=3"])
    assert (result.exit_code, result.output) == (1, "good: epcohs: unknown id, expected epochs, correct it\n")


def test_list_is_complete_and_executes_nothing(lint, write, tmp_path):
    trap = f"$open({str(tmp_path / 'trap')!r}, 'w')"
    bundle = str(write(part=trap))
    result = CliRunner().invoke(lint.main, [bundle, "--list"])
    assert result.exit_code == 0
    assert f"inference.json: part: {trap}" in result.output
    assert "train.json: train::transforms::0::_target_: monai.transforms.Compose" in result.output
    assert CliRunner().invoke(lint.main, [bundle]).exit_code == 1
    assert not (tmp_path / "trap").exists()
