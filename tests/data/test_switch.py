"""Words and values that switch something on or off."""

import pytest

from monai_cortex.data import switched_on
from monai_cortex.errors import ConfigError


@pytest.mark.parametrize("value", ["false", "False", "NO", "0", "off", "None", " null ", "", False, 0, None])
def test_off(value):
    assert switched_on(value) is False


@pytest.mark.parametrize("value", ["true", "True", "YES", "1", "on", True, 1])
def test_on(value):
    assert switched_on(value) is True


@pytest.mark.parametrize("value", ["maybe", "2", "falsee"])
def test_another_word_is_refused(refused, value):
    refused(ConfigError, lambda: switched_on(value, "track"), "track", value, "true or false")
