"""A bundle as a model of MLflow: file names in, file names out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from monai_cortex.handlers.weights_record import read_weights

__all__ = ["BundleModel", "Predictor", "bundle_signature", "offer"]

# Rows and changes of the config in, rows out; the first argument is the bundle's folder.
Predictor = Callable[[Path, Sequence[Mapping[str, str]], Mapping[str, Any]], list[dict[str, Any]]]

_COLUMNS = ("subject", "status", "files", "message")
_NO_PARAMETERS = {
    *("bundle_root", "dataset_dir", "output_dir", "track", "tracking_uri", "num_workers", "weights", "device"),
}
_TYPES = {bool: DataType.boolean, int: DataType.long, float: DataType.double, str: DataType.string}
_REFERENCE = ("$", "@", "%")
_OWN_CHOICE = "auto"


class BundleModel(PythonModel):
    """Run a bundle's inference for rows with ``dataset_dir``, ``output_dir`` and optionally ``subject``.

    Args:
        predictor: computes the rows.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self._root = predictor, Path()

    def load_context(self, context: PythonModelContext) -> None:
        """Find the bundle, and hold its weights against the digest with which they were registered.

        Raises:
            CheckpointError: the weights are not those that were registered.
        """
        self._root = Path(context.artifacts["bundle"])
        for name, digest in context.model_config["weights"].items():
            read_weights(self._root / name, digest, self._root)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 (known from load_context)
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """A table with ``subject``, ``status`` (done or failed), ``files`` relative to ``output_dir``, ``message``.

        Args:
            context: of the model.
            model_input: folder of a data set, folder of results, and where only one is to be done the subject; see the
                bundle's page for what lies in the folders.
            params: ids of the bundle's ``inference.json``; ``device`` "auto" is the bundle's own choice.
        """
        rows = model_input.astype(object).where(model_input.notna(), "").to_dict("records")
        changes = {name: _plain(value) for name, value in (params or {}).items()}
        if changes.get("device") == _OWN_CHOICE:
            del changes["device"]
        return pd.DataFrame(self._predictor(self._root, rows, changes), columns=list(_COLUMNS))


def offer(predictor: Predictor) -> None:
    """Make a :class:`BundleModel` the one that MLflow finds in the file that calls this.

    Args:
        predictor: see there.
    """
    set_model(BundleModel(predictor))


def bundle_signature(bundle_root: str | Path) -> ModelSignature:
    """Columns in and out, and as parameters the plain values that ``inference.json`` describes, with its defaults.

    Args:
        bundle_root: folder of the bundle.
    """
    path = Path(bundle_root) / "configs" / "inference.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    names = [name for name in config.get("_desc_", {}) if name in config and name not in _NO_PARAMETERS]
    found = [_parameter(name, config[name]) for name in names]
    device = ParamSpec("device", DataType.string, _OWN_CHOICE)
    text = DataType.string
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(text, "dataset_dir"),
        ColSpec(text, "output_dir"),
        ColSpec(text, "subject", required=False),
    ]
    types = {"files": Array(text)}
    outputs: list[ColSpec | TensorSpec] = [ColSpec(types.get(name, text), name) for name in _COLUMNS]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([device, *filter(None, found)]))


def _parameter(name: str, value: Any) -> ParamSpec | None:
    """Nothing for what MLflow cannot describe: null, mappings, empty or mixed lists, references."""
    several = isinstance(value, list)
    kinds = {type(part) for part in value} if several else {type(value)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind not in _TYPES or (kind is str and any(_refers(text) for text in (value if several else [value]))):
        return None
    return ParamSpec(name, _TYPES[kind], value, (-1,) if several else None)


def _refers(text: str) -> bool:
    return text.startswith(_REFERENCE)


def _plain(value: Any) -> Any:
    """A value for a config; a text that the config would execute is refused, since whoever calls may be far away.

    Raises:
        ValueError: it is one.
    """
    plain = value.tolist() if hasattr(value, "tolist") else value
    if any(isinstance(part, str) and _refers(part) for part in (plain if isinstance(plain, list) else [plain])):
        raise ValueError(f"{plain!r}: parameters are plain values, without $, @ or % at their beginning.")
    return plain
