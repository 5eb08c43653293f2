"""The lazy attributes of the package itself."""

import copy
import inspect
import pickle
import sys
from pathlib import Path
from pydoc import locate

import pytest

from monai_cortex import plugins
from monai_cortex.plugins import KINDS, PluginError

NET = "class Net:\n    pass\n"


@pytest.fixture
def net(install):
    install("lazy-dist", {"monai_cortex.networks": ["lazy_net = lazy_one:Net"]}, {"lazy_one.py": NET})
    return "monai_cortex.plugins.networks.lazy_net"


def test_a_dotted_path_loads_the_plugin_and_nothing_before_it(net):
    assert locate("monai_cortex.plugins.networks") is not None
    assert "lazy_one" not in sys.modules
    assert locate(net) is sys.modules["lazy_one"].Net
    assert locate(net + ".__name__") == "Net"


def test_a_typo_in_a_dotted_path_is_not_swallowed(net):
    with pytest.raises(PluginError, match="did you mean 'lazy_net'"):
        locate(net[:-1])
    with pytest.raises(PluginError, match="did you mean 'networks'"):
        locate(net.replace("networks", "network"))


@pytest.mark.parametrize("name", ["__wrapped__", "__deepcopy__", "_ipython_display_"])
def test_probes_find_nothing(name):
    assert not hasattr(plugins, name)
    assert not hasattr(plugins.networks, name)


def test_a_namespace_survives_copying(net):
    assert copy.deepcopy(plugins.networks).lazy_net is pickle.loads(pickle.dumps(plugins.networks)).lazy_net


def test_looking_around_imports_no_plugin(net):
    names = [name for name, _ in inspect.getmembers(plugins)] + dir(plugins.networks)
    assert "lazy_one" not in sys.modules
    assert "lazy_net" not in names
    assert not set(KINDS) & set(names)


def test_no_module_takes_the_place_of_a_kind():
    assert not {path.stem for path in Path(plugins.__file__).parent.iterdir()} & set(KINDS)


def test_the_public_names_exist():
    assert all(hasattr(plugins, name) for name in plugins.__all__)


def test_listing_needs_neither_torch_nor_a_plugin(python):
    code = """
import sys
import monai_cortex.plugins as plugins
assert {"methods", "networks"} <= {plugin.kind for plugin in plugins.available()}
heavy = {"torch", "monai", "numpy", "monai_cortex.networks", "monai_cortex.plugins.shd_deconvolution"}
print(sorted(heavy & set(sys.modules)))
"""
    finished = python("-c", code)
    assert finished.stdout.strip() == "[]", finished.stderr


def test_submodules_can_be_imported_from_the_package(python):
    code = "from monai_cortex.plugins import shd_deconvolution; print(shd_deconvolution.method.name)"
    finished = python("-c", code)
    assert finished.stdout.strip() == "shd_deconvolution", finished.stderr
