"""Load a network's weights, all of them or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from monai_cortex.errors import CheckpointError
from monai_cortex.handlers.weights_record import read_weights

__all__ = ["bare_network", "first_nonfinite", "fit_weights", "load_weights"]

_log = logging.getLogger(__name__)
_WRAPPERS = ("network", "model", "state_dict")
_EXAMPLES = 3
_PREFIXES = ("module.", "_orig_mod.")  # of DistributedDataParallel and torch.compile


def load_weights(
    network: nn.Module,
    path: str | Path | None,
    sha256: str | None = None,
    *,
    optional: bool = False,
    bundle_root: str | Path | None = None,
) -> nn.Module:
    """Load weights for inference; every entry of the network must be in the file, and no other.

    Args:
        network: gets the weights, cast to its own float width and device.
        path: a state dict, or a checkpoint with one under ``network``, ``model`` or ``state_dict``.
        sha256: expected digest of the file in hexadecimal; by default that of the record ``<name>.json`` beside it.
        optional: a path of None, or the word "null" as a command line has it, leaves the network as it is.
        bundle_root: folder of the bundle that the weights must belong to, where they say so.

    Returns:
        The network.

    Raises:
        CheckpointError: if the file is missing, damaged, unsafe, of another bundle, or does not fit the network.
    """
    if optional and path in (None, "null"):
        return network
    if path is None:
        raise CheckpointError(
            "no weights are named", expected="a file of weights", remedy="set weights, or train with fit.json"
        )
    fit_weights(network, read_weights(path, sha256, bundle_root), path)
    return network


def fit_weights(network: nn.Module, content: Any, path: str | Path) -> None:
    """Check a state dict against a network, then load it; see :func:`load_weights`."""
    network = bare_network(network)
    state = _strip(_unwrap(content, path), path)
    own = network.state_dict()
    _require_keys(set(own), set(state), path)
    for name, value in own.items():
        _require_fit(name, value, state[name], path)
    if widths := {str(state[name].dtype) for name, value in own.items() if value.dtype != state[name].dtype}:
        _log.warning("%s: %s is cast to the type of the network", path, ", ".join(sorted(widths)))
    if (bad := first_nonfinite(state)) is not None:
        raise CheckpointError("the weights are not finite", file=path, found=f"NaN or infinity in {bad}")
    network.load_state_dict(state)


def bare_network(network: nn.Module) -> nn.Module:
    """The network inside the wrappers of distributed training and compilation."""
    if isinstance(network, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        return bare_network(network.module)
    compiled = getattr(network, "_orig_mod", None)
    return bare_network(compiled) if isinstance(compiled, nn.Module) else network


def first_nonfinite(state: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor that holds NaN or infinity."""
    return next((name for name, value in state.items() if not torch.isfinite(value).all()), None)


def _unwrap(content: Any, path: str | Path) -> Mapping[str, Tensor]:
    if isinstance(content, Mapping):
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    tensors = isinstance(content, Mapping) and all(isinstance(value, Tensor) for value in content.values())
    if not tensors:
        found = f"entries {_some(content)}" if isinstance(content, Mapping) else type(content).__name__
        expected = f"tensors by name, alone or under {' or '.join(_WRAPPERS)}"
        raise CheckpointError("the checkpoint holds no weights", file=path, found=found, expected=expected)
    return content


def _strip(state: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    stripped = dict(state)
    for prefix in _PREFIXES:
        if stripped and all(name.startswith(prefix) for name in stripped):
            _log.warning("%s: prefix %r of all entries is left out", path, prefix)
            stripped = {name.removeprefix(prefix): value for name, value in stripped.items()}
    return stripped


def _require_keys(own: set[str], given: set[str], path: str | Path) -> None:
    if own == given:
        return
    missing, extra = own - given, given - own
    raise CheckpointError(
        "the checkpoint belongs to another network",
        file=path,
        found=f"{len(own & given)} of {len(own)} entries match; missing {_some(missing)}; unknown {_some(extra)}",
        expected="the same names as in the network",
        remedy="use the weights of this bundle and version, or the network's settings of the training",
    )


def _require_fit(name: str, own: Tensor, given: Tensor, path: str | Path) -> None:
    if own.shape != given.shape:
        found, expected = f"{name} of shape {tuple(given.shape)}", f"shape {tuple(own.shape)}"
        raise CheckpointError("a weight has another shape", file=path, found=found, expected=expected)
    if own.is_floating_point() != given.is_floating_point() or own.is_complex() != given.is_complex():
        found, expected = f"{name} as {given.dtype}", str(own.dtype)
        raise CheckpointError("a weight has another type of number", file=path, found=found, expected=expected)


def _some(names: Any) -> str:
    chosen = sorted(map(str, names))
    shown = chosen[:_EXAMPLES]
    return ", ".join(shown + ["..."] * (len(chosen) > len(shown))) or "none"
