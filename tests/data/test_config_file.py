"""A config comes back as it was written, or is refused; the refusals, case by case, are in tests/faults."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_cortex.data import read_config
from monai_cortex.errors import ConfigError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_json_comes_back(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("configs", numbered=True) / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_config(path) == content


def test_yaml_comes_back(tmp_path):
    path = tmp_path / "a.YML"
    path.write_text("a: [1, 2.5, 1.0e-4, true, null, 'no', \"1e-4\"]\nb: {c: d}\n<<: {e: 1}\n")
    assert read_config(path) == {"a": [1, 2.5, 1e-4, True, None, "no", "1e-4"], "b": {"c": "d"}, "e": 1}


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "a.json")


def test_line_is_that_of_the_second_key(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"x":\n{"k": 1,\n\n"k": 2}}')
    with pytest.raises(ConfigError, match="line 4: 'k'"):
        read_config(path)
