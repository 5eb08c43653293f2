"""Switches of a command line, which passes the word false where a config file has the value."""

from __future__ import annotations

from monai_cortex.errors import ConfigError

__all__ = ["switched_on"]

_WORDS = {"true": True, "yes": True, "1": True, "on": True} | dict.fromkeys(
    ("false", "no", "0", "off", "none", "null", ""), False
)


def switched_on(value: object, name: str = "switch") -> bool:
    """Whether an option is meant to be on.

    Args:
        value: a truth value, or a word in any case: true, yes, 1, on; false, no, 0, off, none, null or nothing.
        name: of the option.

    Raises:
        ConfigError: another word; any word would count as true.
    """
    if not isinstance(value, str):
        return bool(value)
    word = value.strip().lower()
    if word not in _WORDS:
        raise ConfigError(
            f"{name} is neither on nor off",
            found=value,
            expected="true or false",
            remedy=f"give --{name} true or --{name} false",
        )
    return _WORDS[word]
