"""What a run tells its tracker, as plain values that can be kept and delivered later, twice if need be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "artifact_entry",
    "data_entry",
    "deliver",
    "metric_entry",
    "now",
    "parameter_entries",
    "status_entry",
    "tag_entry",
    "text_entry",
]

_BATCH = 100  # parameters that MLflow takes at once


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)


def parameter_entries(values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Parameters, as many in an entry as MLflow takes."""
    rows = list(values.items())
    for start in range(0, len(rows), _BATCH):
        yield {"kind": "parameters", "values": dict(rows[start : start + _BATCH])}


def metric_entry(values: Mapping[str, float], step: int) -> dict[str, Any]:
    """Metrics of a step, as of now: with its time a metric is the same one however often it is sent."""
    return {"kind": "metrics", "values": dict(values), "step": step, "time": now()}


def tag_entry(key: str, value: str) -> dict[str, Any]:
    """A tag."""
    return {"kind": "tag", "key": key, "value": value}


def data_entry(name: str, digest: str, source: str, context: str) -> dict[str, Any]:
    """A data set that went in.

    Args:
        name: that people read.
        digest: of its content, at most 36 characters.
        source: where it is, without private parts.
        context: training or inference.
    """
    return {"kind": "data", "name": name, "digest": digest, "source": source, "context": context}


def text_entry(name: str, text: str) -> dict[str, Any]:
    """A text to be kept among the artifacts."""
    return {"kind": "text", "name": name, "text": text}


def artifact_entry(path: Path, output_dir: Path, folder: str | None) -> dict[str, Any]:
    """A file of the output folder, and the folder among the artifacts."""
    return {"kind": "artifact", "path": path.relative_to(output_dir).as_posix(), "folder": folder}


def status_entry(status: str) -> dict[str, Any]:
    """The end of a run, now: FINISHED, FAILED or KILLED."""
    return {"kind": "status", "status": status, "time": now()}


def deliver(client: MlflowClient, run: str, entry: Mapping[str, Any], output_dir: Path) -> None:
    """Send an entry; a second time it changes nothing.

    Args:
        client: of the store.
        run: id.
        entry: made by one of the functions above.
        output_dir: folder of the artifacts.

    Raises:
        FileNotFoundError: an artifact is gone.
        Exception: whatever the tracker raises.
    """
    kind = entry["kind"]
    if kind == "parameters":
        client.log_batch(run, params=[Param(key, value) for key, value in entry["values"].items()])
    elif kind == "metrics":
        when, step = entry["time"], entry["step"]
        client.log_batch(run, metrics=[Metric(key, value, when, step) for key, value in entry["values"].items()])
    elif kind == "tag":
        client.set_tag(run, entry["key"], entry["value"])
    elif kind == "data":
        client.log_inputs(run, [_data_input(entry)])
    elif kind == "text":
        client.log_text(run, entry["text"], entry["name"])
    elif kind == "artifact":
        client.log_artifact(run, str(_there(output_dir / entry["path"])), entry["folder"])
    elif kind == "status":
        client.set_terminated(run, entry["status"], entry["time"])


def _data_input(entry: Mapping[str, Any]) -> DatasetInput:
    source = json.dumps({"uri": entry["source"]})
    data = Dataset(entry["name"], entry["digest"], source_type="local", source=source)
    return DatasetInput(data, [InputTag(MLFLOW_DATASET_CONTEXT, entry["context"])])


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(path.name)
    return path
