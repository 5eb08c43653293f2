"""Checks for authors of transforms, networks, methods and bundles; each raises AssertionError with one clear sentence.

They are part of the package so that a plugin's own test suite can hold it to the same promises as ours.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from numbers import Number
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import cast

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import bundle_folder
from monai_cortex.errors import BundleError, PluginError
from monai_cortex.plugins import Method

__all__ = ["assert_equivariant", "assert_pair_agrees", "check_bundle", "check_method"]

_BUNDLES = Path(__file__).parents[1] / "bundles"  # there in a source checkout, absent from an installed wheel
_FILES = (
    *(f"configs/{name}.json" for name in ("metadata", "train", "inference", "evaluate", "multi_gpu_train", "mlflow")),
    "configs/logging.conf",
    "models/model.pt",
    "docs/README.md",
    "LICENSE",
)
_COMMON = ("bundle_root", "dataset_dir", "output_dir", "device", "seed", "num_workers")
_IDS = {
    "train": (*_COMMON, "epochs", "val_interval", "learning_rate", "batch_size", "resume"),
    "inference": _COMMON,
}


def assert_pair_agrees(
    array_transform: Callable[..., object],
    dictionary_transform: Callable[..., Mapping[Hashable, object]],
    data: Mapping[Hashable, object],
    *keys: Hashable,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check that a dictionary transform does to each key what its array twin does to the value.

    Entries under other keys must come out as they went in, and the input must not change. Transforms with a
    ``set_random_state`` method are seeded alike before every call.

    Args:
        array_transform: maps one value.
        dictionary_transform: maps a dictionary, made for ``keys``.
        data: input of the dictionary transform.
        keys: what the dictionary transform works on, one or more.
        tolerance: largest relative or absolute difference of a number.
        seed: seed of both transforms.

    Raises:
        AssertionError: the pair disagrees, or another entry or the input is changed.
    """
    _require(bool(keys), "name at least one key that the dictionary transform works on.")
    given = copy.deepcopy(dict(data))
    _seed(dictionary_transform, seed)
    result = dictionary_transform(given)
    _require(_difference(given, dict(data), 0) == "", "the dictionary transform changes its input in place.")
    for key, value in data.items():
        _require(key in result, f"the dictionary transform drops the key {key!r}.")
        if key not in keys:
            problem = _difference(result[key], value, 0)
            _require(not problem, f"the dictionary transform touches {key!r}, which is not one of its keys: {problem}")
    for key in keys:
        _seed(array_transform, seed)
        problem = _difference(result[key], array_transform(copy.deepcopy(data[key])), tolerance)
        _require(not problem, f"array and dictionary transform disagree on {key!r}: {problem}")


def assert_equivariant(
    module: Callable[[Tensor], Tensor],
    x: Tensor,
    act_in: Callable[[Tensor], Tensor],
    act_out: Callable[[Tensor], Tensor],
    tolerance: float = 1e-5,
) -> None:
    r"""Check that a map commutes with a symmetry: :math:`f(g\,x) = g\,f(x)`.

    Args:
        module: f, in the mode in which it is to be tested.
        x: input of f.
        act_in: how the symmetry g acts on inputs.
        act_out: how g acts on outputs; the identity for an invariant map.
        tolerance: largest difference, relative to the largest magnitude of the output.

    Raises:
        AssertionError: the two sides differ, an output is not finite, or it is zero, which would prove nothing.
    """
    with torch.no_grad():
        moved, expected = module(act_in(x)), act_out(module(x))
    shapes = f"{tuple(moved.shape)} and {tuple(expected.shape)}"
    _require(moved.shape == expected.shape, f"acting before and after the module gives different shapes, {shapes}.")
    _require(bool(torch.isfinite(moved).all() and torch.isfinite(expected).all()), "the output is not finite.")
    scale = expected.abs().max().item()
    _require(scale > 0, "the output is zero, which commutes with everything: give the module other weights or inputs.")
    error = (moved - expected).abs().max().item() / scale
    sentence = f"not equivariant: relative difference {error:.2e}, tolerance {tolerance:.2e}."
    _require(error <= tolerance, sentence)


def check_method(method: Method, bundles: str | Path | None = None) -> None:
    """Check that a method keeps its promises: its network resolves, its bundle is there and cites the paper.

    Args:
        method: the record to check.
        bundles: folder that must hold the method's bundle. If left out, the bundle is looked for in the source
            checkout of this package and where :func:`~monai_cortex.data.bundle_folder` looks, and not checked where it
            is not found.

    Raises:
        AssertionError: a promise is broken.
    """
    for field in ("name", "summary", "network", "bundle", "paper"):
        _require(bool(getattr(method, field).strip()), f"method {method.name!r} leaves its {field} empty.")
    _require(method.name.isidentifier(), f"method {method.name!r} is not named by an identifier.")
    _require_network(method)
    folder = _find_bundle(method.bundle) if bundles is None else Path(bundles) / method.bundle
    if folder is None:
        return
    _require_files(folder, [f"configs/{name}.json" for name in ("metadata", "train", "inference")])
    _require_files(folder, ["docs/README.md"])
    paper = method.paper.partition(":")[2] or method.paper
    readme = (folder / "docs" / "README.md").read_text(encoding="utf-8")
    _require(paper.lower() in readme.lower(), f"docs/README.md of bundle {method.bundle!r} does not cite {paper}.")


def check_bundle(folder: str | Path) -> None:
    """Check the layout of a bundle: its files, its JSON, the ids that users override, and no code.

    Args:
        folder: root of the bundle.

    Raises:
        AssertionError: a file is missing, JSON does not parse or repeats a key, an id is missing at the top level of
            ``train.json`` or ``inference.json``, or there is a ``scripts`` folder.
    """
    folder = Path(folder)
    _require_files(folder, _FILES)
    configs = {path.stem: _read_json(path) for path in sorted((folder / "configs").glob("*.json"))}
    for name, ids in _IDS.items():
        missing = ", ".join(key for key in ids if key not in configs[name])
        _require(not missing, f"configs/{name}.json of bundle {folder.name!r} lacks the top-level ids {missing}.")
    no_code = f"bundle {folder.name!r} has a scripts folder; it is not found from another folder, use a package."
    _require(not (folder / "scripts").exists(), no_code)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


def _find_bundle(name: str) -> Path | None:
    if (_BUNDLES / name).is_dir():
        return _BUNDLES / name
    try:
        return Path(bundle_folder(name))
    except BundleError:
        return None


def _require_files(folder: Path, files: Sequence[str]) -> None:
    missing = ", ".join(file for file in files if not (folder / file).is_file())
    _require(not missing, f"bundle {folder.name!r} lacks {missing}.")


def _require_network(method: Method) -> None:
    try:
        network = locate(method.network)
    except (PluginError, ErrorDuringImport) as error:
        raise AssertionError(f"the network of method {method.name!r} does not load: {error}") from error
    _require(callable(network), f"method {method.name!r} names {method.network}, which is no class or function.")


def _read_json(path: Path) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        repeated = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        _require(not repeated, f"{path} repeats the keys {repeated}.")
        return dict(pairs)

    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise AssertionError(f"{path} is not JSON: {error}") from error
    _require(isinstance(content, dict), f"{path} does not hold a JSON object.")
    return cast("dict[str, object]", content)


def _seed(transform: object, seed: int) -> None:
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(seed)


def _difference(actual: object, expected: object, tolerance: float) -> str:
    """First difference of two values of any sort, empty if there is none."""
    if type(actual) is not type(expected):
        return f"a {type(actual).__name__} stands for a {type(expected).__name__}."
    if isinstance(expected, (Mapping, list, tuple)):
        return _difference_of_parts(_parts(actual), _parts(expected), tolerance)
    if isinstance(expected, (Tensor, np.ndarray, Number)):
        return _difference_of_numbers(actual, expected, tolerance)
    # Without an equality of their own, objects equal only themselves, and never a copy.
    equal = type(expected).__eq__ is object.__eq__ or actual == expected
    return "" if equal else f"{actual!r} is not {expected!r}."


def _parts(container: object) -> dict[object, object]:
    return dict(container) if isinstance(container, Mapping) else dict(enumerate(cast("Sequence[object]", container)))


def _difference_of_parts(actual: dict[object, object], expected: dict[object, object], tolerance: float) -> str:
    if actual.keys() != expected.keys():
        return f"the parts are {list(actual)}, expected {list(expected)}."
    problems = ((key, _difference(actual[key], expected[key], tolerance)) for key in expected)
    return next((f"at {key!r}: {problem}" for key, problem in problems if problem), "")


def _difference_of_numbers(actual: object, expected: object, tolerance: float) -> str:
    try:
        torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    except AssertionError as error:
        return " ".join(str(error).split())
    return ""
