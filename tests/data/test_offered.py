import sys

import pytest

from monai_cortex.data.offered import offered, offered_names, offering_packages
from monai_cortex.errors import PluginError


def test_what_is_offered_is_loaded_and_the_rest_is_not(distribution):
    files = {"one_package.py": "PART = 1", "two_package/__init__.py": "", "two_package/inner.py": "PART = 2"}
    distribution("ones", {"things": "one = one_package:PART", "others": "one = one_package:NOTHING"}, files)
    distribution("twos", {"things": "two = two_package.inner:PART"})
    assert offered_names("things") == ["one", "two"]
    assert offering_packages("things") == ["one_package", "two_package"]
    assert offered("things", "two") == 2
    assert "one_package" not in sys.modules
    assert offered("things", "three") is None
    assert offered("nothing", "one") is None


def test_two_that_offer_the_same_are_both_named(distribution, refused):
    distribution("ones", {"things": "one = one_package:PART"})
    distribution("twos", {"things": "one = two_package:PART"})
    refused(PluginError, lambda: offered("things", "one"), "one_package:PART, two_package:PART", "offered twice")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("import no_such_module", "ModuleNotFoundError"), ("1 / 0", "ZeroDivisionError"), ("", "AttributeError")],
)
def test_what_cannot_be_loaded_says_why(distribution, refused, text, reason):
    distribution("ones", {"things": "one = one_package:PART"}, {"one_package.py": text})
    refused(PluginError, lambda: offered("things", "one"), "one_package:PART", reason)


def test_our_own_samples_are_offered_in_the_same_way():
    assert "monai_cortex" in offering_packages("methods")
