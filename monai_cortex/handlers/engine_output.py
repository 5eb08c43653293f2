"""Numbers out of an engine's state, whatever shape a trainer gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from monai.utils import CommonKeys
from torch import Tensor

__all__ = ["losses", "scalars", "subjects"]

_SUBJECT_KEYS = ("subject", "subject_id")


def scalars(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The entries that are one number, nested mappings as ``outer/inner``; everything else is left out.

    Args:
        values: numbers, tensors or arrays of one element, mappings of these.
        prefix: put before each name.
    """
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) == 1:
            found[f"{prefix}{name}"] = float(value.item())
        elif isinstance(value, Real):
            found[f"{prefix}{name}"] = float(value)
    return found


def losses(output: Any) -> dict[str, float]:
    """The loss of an iteration as ``loss``, or its parts as ``loss/<part>`` where there are several.

    Args:
        output: ``engine.state.output``: the loss itself, a mapping with an entry ``loss``, or a sequence of such
            (a decollated batch repeats the loss in every item).
    """
    first = output[0] if isinstance(output, Sequence) and output else output
    value = first.get(CommonKeys.LOSS) if isinstance(first, Mapping) else first
    return scalars({"loss": value})


def subjects(batch: Any) -> str:
    """Identifiers of the subjects in a batch, separated by commas; empty where the batch does not tell."""
    items = batch if isinstance(batch, Sequence) and not isinstance(batch, str) else [batch]
    return ", ".join(text for item in items if isinstance(item, Mapping) and (text := _subject(item)))


def _subject(item: Mapping[str, Any]) -> str:
    names = next((item[key] for key in _SUBJECT_KEYS if key in item), "")
    return names if isinstance(names, str) else ", ".join(map(str, names))
