import dataclasses

import pytest

from monai_cortex.plugins import API_VERSION, Method, Plugin, PluginError

NET = "class Net:\n    class Inner:\n        pass\n"
TEXTS = {
    "good_one.py": NET,
    "raises_one.py": "raise RuntimeError('first line\\nsecond line')",
    "exits_one.py": "raise SystemExit(3)",
    "syntax_one.py": "def",
    "same_api.py": f"__monai_cortex_api__ = {API_VERSION}\n" + NET,
    "other_api.py": f"__monai_cortex_api__ = {API_VERSION + 1}\nraise AttributeError('must not be reached')",
    "new_api.py": f"__monai_cortex_api__ = {API_VERSION + 1}\n",
    "whole/__init__.py": f"__monai_cortex_api__ = {API_VERSION + 1}\n",
    "whole/part.py": NET,
    "deep/__init__.py": "",
    "deep/part.py": f"__monai_cortex_api__ = {API_VERSION + 1}\n",
    "values.py": "number = 3\n",
}


@pytest.fixture
def plugin(install):
    install("record-dist", {}, TEXTS)
    return lambda target, kind="networks": Plugin(kind, "net", target, "record-dist", "1.0")


@pytest.mark.parametrize(("target", "name"), [("good_one:Net", "Net"), ("good_one:Net.Inner", "Inner")])
def test_load_follows_the_target(plugin, target, name):
    assert plugin(target).load().__name__ == name
    assert plugin(target).checked() == plugin(target)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("absent_one:Net", "ModuleNotFoundError: No module named 'absent_one'"),
        ("good_one:Gone", "AttributeError: module 'good_one' has no attribute 'Gone'"),
        ("raises_one:Net", "RuntimeError: first line second line"),
        ("exits_one:Net", "SystemExit: 3"),
        ("syntax_one:Net", "SyntaxError"),
        ("new_api:Net", f"written for plugin API {API_VERSION + 1}, installed is API {API_VERSION}"),
        ("whole.part:Net", f"written for plugin API {API_VERSION + 1}, installed is API {API_VERSION}"),
        ("deep.part:Net", f"written for plugin API {API_VERSION + 1}, installed is API {API_VERSION}"),
        ("values:number", "neither a class nor a function but a int"),
    ],
)
def test_a_broken_plugin_names_its_reason_and_its_distribution(plugin, target, reason):
    broken = plugin(target)
    assert broken.checked().reason.startswith(reason)
    assert "\n" not in broken.checked().reason
    with pytest.raises(PluginError) as caught:
        broken.load()
    assert "record-dist 1.0" in str(caught.value)
    assert reason in str(caught.value)


def test_the_cause_is_chained(plugin):
    with pytest.raises(PluginError) as caught:
        plugin("raises_one:Net").load()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_the_same_api_version_is_welcome(plugin):
    assert plugin("same_api:Net").load().__name__ == "Net"


def test_samples_must_be_a_mapping(plugin):
    assert plugin("good_one:Net", kind="samples").checked().reason == "not a mapping but a type"
    shipped = "monai_cortex.simulate.synthetic_heart:CARDIAC_SAMPLES"
    assert list(plugin(shipped, kind="samples").load()) == ["simulated"]


def test_inputs_must_list_and_read(plugin):
    assert plugin("good_one:Net", kind="inputs").checked().reason == "no DatasetInputs but a type"
    assert plugin("monai_cortex.data.dataset_check:_INPUTS", kind="inputs").checked().reason.endswith("a dict")


def test_a_method_must_be_a_method(plugin):
    assert plugin("good_one:Net", kind="methods").checked().reason == "not a Method but a type"
    shipped = plugin("monai_cortex.plugins.shd_deconvolution:method", kind="methods")
    assert isinstance(shipped.load(), Method)


def test_a_known_reason_forbids_loading(plugin):
    with pytest.raises(PluginError, match="claimed twice"):
        dataclasses.replace(plugin("good_one:Net"), reason="claimed twice").load()


def test_a_component_at_hand_is_not_imported_again(plugin):
    assert dataclasses.replace(plugin("absent_one:Net"), component=len).load() is len
    late = dataclasses.replace(plugin("new_api:Net"), component=len)
    plugin("new_api:Net").checked()
    assert late.checked().reason.startswith("written for plugin API")


def test_records_are_frozen(plugin):
    for record in (plugin("good_one:Net"), Method("a", "b", "c", "d", "e")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.name = "other"
