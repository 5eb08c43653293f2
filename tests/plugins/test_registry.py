import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.errors import CortexError
from monai_cortex.plugins import KINDS, Method, PluginError, available, get, register

NET = "class Net:\n    pass\n"


def named(kind, name):
    return [plugin for plugin in available(kind) if plugin.name == name]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"methods", "inputs", "samples"}])
def test_every_kind_is_read_from_its_own_group(install, kind):
    install("first-dist", {f"monai_cortex.{kind}": ["net = first_dist:Net"]}, {"first_dist.py": NET}, version="2.5")
    (plugin,) = named(kind, "net")
    assert (plugin.kind, plugin.target, plugin.owner) == (kind, "first_dist:Net", "first-dist 2.5")
    assert "first_dist" not in sys.modules
    assert get(kind, "net") is sys.modules["first_dist"].Net
    assert [other for other in KINDS if named(other, "net")] == [kind]


def test_a_listing_is_sorted_and_without_a_kind_holds_all(install):
    install("first", {"monai_cortex.losses": ["b = f:x", "a = f:y"], "monai_cortex.handlers": ["c = f:z"]})
    listed = [(plugin.kind, plugin.name) for plugin in available() if plugin.source == "first"]
    assert listed == [("handlers", "c"), ("losses", "a"), ("losses", "b")]


def test_two_distributions_that_claim_one_name_are_both_named(install):
    install("first-dist", {"monai_cortex.networks": ["net = first:Net"]}, {"first.py": NET})
    install("second-dist", {"monai_cortex.networks": ["net = second:Net"]}, {"second.py": NET}, version="3.0")
    with pytest.raises(PluginError, match=r"first:Net from first-dist 1\.0 and second:Net from second-dist 3\.0"):
        get("networks", "net")
    assert [bool(plugin.reason) for plugin in named("networks", "net")] == [True, True]


def test_two_distributions_that_name_the_same_target_agree(install):
    install("first", {"monai_cortex.networks": ["net = first:Net"]}, {"first.py": NET})
    install("second", {"monai_cortex.networks": ["net = first : Net [extra]"]})
    assert len(named("networks", "net")) == 1
    assert get("networks", "net").__name__ == "Net"


def test_a_distribution_seen_twice_is_no_conflict(install, write_distribution, tmp_path, monkeypatch):
    write_distribution(tmp_path / "older", "first-dist", {"monai_cortex.networks": ["net = older:Net"]}, version="0.9")
    install("First_Dist", {"monai_cortex.networks": ["net = first:Net"]}, {"first.py": NET})
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "older")])
    (plugin,) = named("networks", "net")
    assert plugin.version == "1.0"
    assert not plugin.reason


def test_the_same_name_in_two_kinds_is_no_conflict(install):
    install("first", {"monai_cortex.networks": ["net = first:Net"], "monai_cortex.losses": ["net = first:len"]})
    assert not named("networks", "net")[0].reason
    assert not named("losses", "net")[0].reason


@pytest.mark.parametrize("name", ["their_nett", "THEIR_NET", "theirnet"])
def test_a_typo_is_answered_with_the_nearest_name_and_the_installed_ones(install, name):
    install("first", {"monai_cortex.inferers": ["their_net = first:Net", "other = first:Net"]})
    with pytest.raises(PluginError, match=r"installed: .*other.*their_net\n  remedy: did you mean 'their_net'\?"):
        get("inferers", name)


def test_a_name_like_no_other_gets_no_suggestion(install):
    with pytest.raises(PluginError, match=r"python -m monai_cortex\.plugins"):
        get("handlers", "zzzzzzzz")


@given(kind=st.sampled_from(KINDS), position=st.integers(0, 9))
def test_a_kind_with_a_letter_missing_is_recognized(kind, position):
    position %= len(kind)
    with pytest.raises(PluginError, match=f"did you mean '{kind}'"):
        get(kind[:position] + kind[position + 1 :], "any")


def test_an_unknown_kind_is_refused_everywhere():
    for act in (lambda: available("network"), lambda: get("network", "x"), lambda: register("network")):
        with pytest.raises(PluginError, match="did you mean 'networks'"):
            act()


@pytest.mark.parametrize(
    ("group", "line", "reason"),
    [
        ("networks", "their-net = first:Net", "'their-net' is not a public identifier"),
        ("networks", "_net = first:Net", "'_net' is not a public identifier"),
        ("networks", "net = first", "'first' does not read module:attribute"),
        ("networks", "net = first:1", "'first:1' does not read module:attribute"),
        ("network", "net = first:Net", "unknown kind 'network', did you mean 'networks'?"),
    ],
)
def test_what_the_texts_show_is_found_without_importing(install, group, line, reason):
    install("first-dist", {f"monai_cortex.{group}": [line]}, {"first.py": NET})
    (plugin,) = (plugin for plugin in available() if plugin.source == "first-dist")
    assert reason in plugin.reason
    with pytest.raises(PluginError, match="first-dist"):
        plugin.load()
    assert "first" not in sys.modules


def test_a_check_gives_the_reasons_and_spares_the_others(install):
    entries = {"monai_cortex.losses": ["bad = first_bad:Net", "gone = first:Gone", "net = first:Net"]}
    install("first-dist", entries, {"first.py": NET, "first_bad.py": "import no_such_module_anywhere"})
    assert not any(plugin.reason for plugin in available("losses") if plugin.source == "first-dist")
    reasons = {p.name: p.reason for p in available("losses", check=True) if p.source == "first-dist"}
    assert reasons["bad"] == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    assert reasons["gone"].startswith("AttributeError")
    assert not reasons["net"]


def test_metadata_may_be_missing(install, tmp_path):
    install("first", {"monai_cortex.losses": ["net = first:Net"]}, {"first.py": NET})
    (tmp_path / "first-1.0.dist-info" / "METADATA").write_text("")
    (plugin,) = named("losses", "net")
    assert (plugin.source, plugin.version) == ("an unknown distribution", "")


def test_register_names_a_class_by_itself_and_gives_it_back(install):
    @register("metrics")
    class OwnMetric:
        pass

    assert get("metrics", "OwnMetric") is OwnMetric
    (plugin,) = named("metrics", "OwnMetric")
    assert plugin.target == f"{__name__}:{OwnMetric.__qualname__}"


def test_register_belongs_to_the_package_that_calls_it(install):
    install("first", {}, {"first.py": "__version__ = '7.1'\nfrom monai_cortex.plugins import register\n"})
    import first  # noqa: PLC0415

    exec("register('metrics', 'theirs')(len)", vars(first))
    assert named("metrics", "theirs")[0].owner == "first 7.1"
    assert named("metrics", "theirs")[0].target == "builtins:len"


def test_register_takes_a_method_under_its_own_name(install):
    method = register("methods")(Method("own_method", "a summary", "a.b", "own_method", "doi:1"))
    assert get("methods", "own_method") is method


def test_register_refuses_a_name_that_is_taken_unless_told(install):
    install("first-dist", {"monai_cortex.networks": ["net = first:Net"]}, {"first.py": NET})
    with pytest.raises(PluginError, match=rf"first:Net from first-dist 1\.0 and {__name__}:named"):
        register("networks", "net")(named)
    assert get("networks", "net").__name__ == "Net"
    register("networks", "net", override=True)(named)
    assert get("networks", "net") is named
    assert [plugin.target for plugin in named("networks", "net")] == [f"{__name__}:named"]


def test_register_refuses_a_second_component_of_the_program(install):
    register("losses", "loss")(named)
    with pytest.raises(PluginError, match="already taken"):
        register("losses", "loss")(pytest)


def test_register_may_run_twice_and_beside_the_entry_point_of_the_same_class(install):
    text = "from monai_cortex.plugins import register\n@register('networks', 'net')\n" + NET
    install("first-dist", {"monai_cortex.networks": ["net = first:Net"]}, {"first.py": text})
    first = get("networks", "net")
    del sys.modules["first"]
    import first as again  # noqa: PLC0415

    assert get("networks", "net") is again.Net is not first
    assert len(named("networks", "net")) == 1


@pytest.mark.parametrize("name", ["their-net", "_net", None])
def test_register_refuses_what_no_configuration_could_name(install, name):
    with pytest.raises(PluginError, match="public identifier"):
        register("networks", name)(lambda: None)


def test_the_error_is_ours_and_a_lookup_error_but_no_attribute_error(install):
    with pytest.raises(PluginError) as caught:
        get("losses", "no_such_loss")
    assert isinstance(caught.value, CortexError)
    assert isinstance(caught.value, LookupError)
    assert not isinstance(caught.value, AttributeError)
    assert str(caught.value).count("\n") < 5
