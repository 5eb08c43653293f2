import resource

import pytest

from monai_cortex.data import memory
from monai_cortex.errors import ConfigError


def test_variable_decides(monkeypatch):
    monkeypatch.setenv(memory.OPTION, "1.5")
    assert memory.memory_limit() == 1_500_000_000


@pytest.mark.parametrize("text", ["lots", "0", "-1", "nan", "inf"])
def test_variable_must_be_a_positive_number(monkeypatch, text):
    monkeypatch.setenv(memory.OPTION, text)
    with pytest.raises(ConfigError, match=f"{memory.OPTION}={text}"):
        memory.memory_limit()


def test_tightest_limit_counts(monkeypatch):
    monkeypatch.delenv(memory.OPTION, raising=False)
    unlimited = memory.memory_limit()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (12_345, 12_345))
    assert memory.memory_limit() == 12_345 < unlimited


def test_container_limit_counts(monkeypatch, tmp_path):
    monkeypatch.delenv(memory.OPTION, raising=False)
    for text, expected in (("54321", True), ("max", False)):
        (tmp_path / "limit").write_text(f"{text}\n")
        monkeypatch.setattr(memory, "_CONTAINER", (str(tmp_path / "limit"), str(tmp_path / "absent")))
        assert (memory.memory_limit() == 54_321) == expected
