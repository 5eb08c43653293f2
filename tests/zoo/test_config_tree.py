"""Ids, references, circles and overrides of a config."""

import pytest

from monai_cortex.errors import ConfigError
from monai_cortex.zoo.config_tree import (
    cycles,
    entries,
    is_expression,
    known_ids,
    missing_references,
    nearest,
    references,
    require_known_overrides,
    unknown_overrides,
)

CONFIG = {"a": [1, {"b": 2}], "+c": {"d#e": "@a"}, "f": "%a", "g": "$@a::0 + @c::d::e"}


def test_entries_have_ids_and_last_keys():
    found = {entry.where: entry.key for entry in entries(CONFIG)}
    assert found == {"a": "a", "a::0": "0", "a::1": "1", "a::1::b": "b", "c": "c", "c::d::e": "e", "f": "f", "g": "g"}


def test_known_ids_follow_macros():
    assert {"f::0", "f::1::b"} <= known_ids(CONFIG)


def test_references_of_each_kind_of_text():
    found = {entry.where: references(entry) for entry in entries(CONFIG) if references(entry)}
    assert found == {"c::d::e": ["a"], "f": ["a"], "g": ["a::0", "c::d::e"]}
    assert [references(entry) for entry in entries({"x": "mail@a.org", "y": 1})] == [[], []]


@pytest.mark.parametrize(("value", "expected"), [("$1", True), ("1", False), (1, False), ("", False)])
def test_is_expression(value, expected):
    assert is_expression(value) is expected


def test_missing_references_count_the_best_base():
    assert missing_references(CONFIG) == []
    config = {"x": "@far", "y": "@near"}
    assert [found.what for found in missing_references(config, [{"far"}, set()])] == ["reference @near"]


@pytest.mark.parametrize(
    ("config", "loop"),
    [
        ({"a": "@a"}, "a -> a"),
        ({"a": "@b", "b": "@c", "c": "$@a"}, "a -> b -> c -> a"),
        ({"a": {"b": "@a"}}, "a -> a::b -> a"),
        ({"a": {"b": "@c"}, "c": ["@a"]}, "a -> a::b -> c -> c::0 -> a"),
    ],
)
def test_cycles(config, loop):
    assert loop in cycles(config)[0].what


def test_no_cycle_where_parts_refer_to_each_other():
    assert cycles({"a": {"b": 1, "c": "@a::b"}, "d": "@a", "e": ["@d", "@d"]}) == []


def test_long_chain_needs_no_recursion():
    chain = {f"x{n}": f"@x{n + 1}" for n in range(5000)} | {"x5000": 1}
    assert cycles(chain) == []


def test_overrides():
    keys = {"epochs", "net", "net::_target_"}
    assert unknown_overrides(keys, ["--epochs", "net#width"]) == {}
    assert unknown_overrides(keys, ["epcohs"]) == {"epcohs": "epochs"}
    require_known_overrides(keys, ["epochs"])
    with pytest.raises(ConfigError, match="did you mean epochs"):
        require_known_overrides(keys, ["epcohs"])


def test_nearest():
    assert nearest("devise", ["device", "seed"]) == "device"
    assert nearest("zzz", ["device"]) == "an id of this config"
