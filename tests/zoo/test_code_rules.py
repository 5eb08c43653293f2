"""Each rule is silent on our bundles and on harmless values; what it finds, attack by attack, is in tests/faults."""

from pathlib import Path

import pytest

from monai_cortex.data import read_config
from monai_cortex.zoo.code_rules import code_of, unsafe_code, unsafe_entries

CONFIGS = sorted(Path(__file__).parents[2].glob("bundles/*/configs/*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_our_configs_execute_only_what_is_listed(path):
    check = unsafe_entries if path.stem == "metadata" else unsafe_code
    assert [str(finding) for finding in check(read_config(path))] == []


def test_code_is_listed_whole():
    config = {"a": {"_target_": "x.y", "b": "$1"}, "c#_target_": "z", "d": "text"}
    assert code_of(config) == ["a::_target_: x.y", "a::b: $1", "c::_target_: z"]


@pytest.mark.parametrize(
    "config",
    [
        {"a": {"_target_": "monai.transforms.LoadImage", "reader": "NibabelReader"}},
        {"a": {"_target_": "torch.nn.ReLU", "_mode_": "callable"}},
        {"a": {"_target_": "monai.networks.nets.DenseNet121", "pretrained": False}},
        {"dataset_dir": "/data/scans"},
        {"_desc_": {"reader": "a path such as ../x or https://example.org"}},
    ],
    ids=str,
)
def test_harmless_values_pass(config):
    assert unsafe_code(config) == []


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"a::reader": "os.system"}, "argument reader"),
        ({"a#_mode_": "callable"}, "mode 'callable'"),
        ({"a": "%other.json::x"}, "file macro"),
        ({"a": "%x\n/etc/evil.json"}, "file macro"),
        ({"imports": ["$import subprocess"]}, "statement"),
        ({"a": "$import os"}, "statement"),
        ({"imports": ["$import torch.hub"]}, "statement"),
    ],
    ids=str,
)
def test_finding(config, what):
    assert any(what in finding.what for finding in unsafe_code(config))


def test_metadata_may_speak_of_places_but_not_execute():
    assert unsafe_entries({"references": ["https://example.org"], "monai_version": "1.6"}) == []
    assert len(unsafe_entries({"description": "$open('x')"})) == 1
