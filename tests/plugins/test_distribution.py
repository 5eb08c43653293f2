"""A second and a third distribution, seen by a new process and by MONAI's own config parser."""

import json

import pytest

THEIRS = {
    "monai_cortex.networks": [
        "their_net = their_plugin.nets:TheirNet",
        "broken_net = their_plugin.broken:Net",
        "future_net = their_future:Net",
        "shared_net = their_plugin.nets:TheirNet",
    ],
    "monai_cortex.methods": ["their_method = their_plugin:method"],
}
OTHERS = {"monai_cortex.networks": ["shared_net = other_plugin:OtherNet"]}
NETS = """
class TheirNet:
    def __init__(self, channels, depth=2):
        self.channels = channels
        self.depth = depth
"""
METHOD = """
from monai_cortex.plugins import Method

__monai_cortex_api__ = 1
method = Method("their_method", "a summary", "monai_cortex.plugins.networks.their_net", "their_method", "doi:10/1")
"""
MODULES = {
    "their_plugin/__init__.py": METHOD,
    "their_plugin/nets.py": NETS,
    "their_plugin/broken.py": "import no_such_module_anywhere",
    "their_future.py": "__monai_cortex_api__ = 2\nclass Net: pass\n",
}
DRIVER = """
import json
import sys

import monai_cortex.plugins as plugins
import monai_cortex.testing
from monai.bundle import ComponentLocator, ConfigParser

TARGETS = ["their_net", "broken_net", "future_net", "shared_net", "their_nett"]


def resolve(target, **arguments):
    parser = ConfigParser({"network": {"_target_": f"monai_cortex.plugins.{target}", **arguments}})
    try:
        return vars(parser.get_parsed_content("network"))
    except plugins.PluginError as error:
        return str(error)


listed = {f"{p.kind}.{p.name}": p.owner for p in plugins.available()}
early = "their_plugin" in sys.modules
resolved = {name: resolve(f"networks.{name}", channels=3) for name in TARGETS}
resolved["kind"] = resolve("network.their_net", channels=3)
swap = ConfigParser({"network": {"_target_": "monai_cortex.plugins.networks.hemispherical_unet", "channels": 4}})
swap["network#_target_"] = "monai_cortex.plugins.networks.their_net"
swapped = vars(swap.get_parsed_content("network"))
reasons = {p.name: p.reason for p in plugins.available(check=True) if "plugin" in p.source}
locator = ComponentLocator()
public = [*plugins.__all__, *monai_cortex.testing.__all__]
homes = {name: locator.get_component_module_name(name) for name in public}
print(json.dumps([listed, early, resolved, swapped, reasons, homes]))
"""


@pytest.fixture(scope="module")
def outcome(python, write_distribution, tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    write_distribution(target, "their-plugin", THEIRS, MODULES, version="1.2")
    write_distribution(target, "other-plugin", OTHERS, {"other_plugin.py": "class OtherNet: pass\n"}, version="0.3")
    finished = python("-c", DRIVER, folders=[target])
    assert finished.returncode == 0, finished.stderr
    names = ("listed", "early", "resolved", "swapped", "reasons", "homes")
    return dict(zip(names, json.loads(finished.stdout.splitlines()[-1]), strict=True))


def test_the_foreign_plugins_stand_beside_ours(outcome):
    assert outcome["listed"]["networks.their_net"] == "their-plugin 1.2"
    assert outcome["listed"]["methods.their_method"] == "their-plugin 1.2"
    assert outcome["listed"]["networks.hemispherical_unet"].startswith("monai_cortex")
    assert not outcome["early"]


def test_a_stock_configuration_builds_the_foreign_network(outcome):
    assert outcome["resolved"]["their_net"] == {"channels": 3, "depth": 2}


def test_an_override_swaps_our_network_for_theirs(outcome):
    assert outcome["swapped"] == {"channels": 4, "depth": 2}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("broken_net", ["their-plugin 1.2", "No module named 'no_such_module_anywhere'"]),
        ("future_net", ["their-plugin 1.2", "plugin API 2, installed is API 1"]),
        ("shared_net", ["their-plugin 1.2", "other-plugin 0.3"]),
        ("their_nett", ["did you mean 'their_net'?", "hemispherical_unet"]),
        ("kind", ["did you mean 'networks'?", "schedulers"]),
    ],
)
def test_the_parser_passes_our_message_on(outcome, name, texts):
    assert all(text in outcome["resolved"][name] for text in texts), outcome["resolved"][name]


def test_the_broken_ones_are_listed_with_their_reason_and_the_others_work(outcome):
    broken = {name for name, reason in outcome["reasons"].items() if reason}
    assert broken == {"broken_net", "future_net", "shared_net"}
    assert {"their_net", "their_method"} <= set(outcome["reasons"])


def test_no_public_name_is_one_of_monai(outcome):
    """MONAI resolves short names over every module whose name starts with monai, so ours must not be among its own.

    Only ``Method`` is: MONAI's is an enumeration of padding styles, which no configuration builds.
    """
    homes = {name: [home] if isinstance(home, str) else home for name, home in outcome["homes"].items() if home}
    shared = {name for name, places in homes.items() if any(place.startswith("monai.") for place in places)}
    assert homes["check_bundle"] == ["monai_cortex.testing"]
    assert shared == {"Method"}
