"""Bundles in MLflow's model registry."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from monai_cortex import __version__
from monai_cortex.data import bundle_identity, read_metadata, sha256
from monai_cortex.errors import ConfigError, ResourceError
from monai_cortex.handlers.bundle_model import bundle_signature
from monai_cortex.handlers.run_description import git_revision
from monai_cortex.handlers.tracker_store import artifact_place, find_experiment, store_uri
from monai_cortex.handlers.weights_record import read_weights

__all__ = ["RegisteredBundle", "register_bundle"]

_EXAMPLE = {"dataset_dir": ["DATASET"], "output_dir": ["OUT"]}
_PACKAGES = ("torch", "monai", "mlflow")
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "120",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class RegisteredBundle(NamedTuple):
    """A version in the registry.

    Attributes:
        name: of the model.
        version: its number there.
        store: address of the registry.
    """

    name: str
    version: str
    store: str

    @property
    def uri(self) -> str:
        """What ``mlflow.pyfunc.load_model`` takes."""
        return f"models:/{self.name}/{self.version}"


def register_bundle(
    bundle_root: str | Path,
    code: str | Path,
    tracking_uri: str | None = None,
    name: str | None = None,
    experiment: str = "monai_cortex",
) -> RegisteredBundle:
    """Log a bundle with its weights as a model of MLflow, and register it as the next version of a name.

    The model is files alone, nothing is pickled: the bundle's folder and the ``code`` that runs it. It is tagged with
    bundle, bundle_version, weights_sha256 and git_revision.

    Args:
        bundle_root: folder of the bundle.
        code: Python file that calls :func:`~monai_cortex.handlers.bundle_model.offer`.
        tracking_uri: database or server; ``MLFLOW_TRACKING_URI`` in the environment goes before it.
        name: in the registry; by default the bundle's.
        experiment: under which the model is listed.

    Raises:
        BundleError: the folder is no bundle.
        CheckpointError: its weights are damaged.
        ConfigError: no store is named.
        ResourceError: the store does not take the model.
    """
    root, store = Path(bundle_root).resolve(), _named(store_uri(tracking_uri))
    identity, digests = bundle_identity(root), _weights(root)
    tags = {
        "bundle": identity["bundle"],
        "bundle_version": identity["version"],
        "weights_sha256": digests["models/model.pt"],
        "git_revision": git_revision(),
    }
    name = name or identity["bundle"]
    try:
        with tempfile.TemporaryDirectory() as folder, _connected(store):
            model = Path(folder) / "model"
            _save(root, Path(code), model, digests)
            client = MlflowClient(store)
            place = find_experiment(client, experiment, artifact_place(store))
            number = _log(client, place, name, model, tags, read_metadata(root)["description"])
    except (MlflowException, OSError) as error:  # failures of connections are errors of the system
        raise ResourceError(
            "the store does not take the model",
            found=(str(error).splitlines() or [""])[0][:200],
            expected="a database that can be written, or a server that answers",
            remedy="see that --tracking-uri is right and the server runs",
        ) from error
    return RegisteredBundle(name, number, store)


def _named(store: str | None) -> str:
    if store is None:
        raise ConfigError(
            "no store is named",
            expected="a database, or a server with a registry",
            remedy="add --tracking-uri sqlite:///FOLDER/mlruns.db, or set MLFLOW_TRACKING_URI",
        )
    return store


def _weights(root: Path) -> dict[str, str]:
    """Digest of each file of weights, once it was held against its record."""
    paths = [root / "models" / "model.pt", *sorted((root / "models").glob("*.pt"))]
    for path in paths:
        read_weights(path, bundle_root=root)
    return {path.relative_to(root).as_posix(): sha256(path) for path in paths}


def _save(root: Path, code: Path, folder: Path, digests: Mapping[str, str]) -> None:
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES]
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(code),
        artifacts={"bundle": str(root)},
        signature=bundle_signature(root),
        input_example=pd.DataFrame(_EXAMPLE),
        pip_requirements=[f"monai_cortex=={__version__}", *pins],
        model_config={"weights": dict(digests)},
    )


def _log(client: MlflowClient, experiment: str, name: str, folder: Path, tags: dict[str, str], about: str) -> str:  # noqa: PLR0913
    logged = client.create_logged_model(experiment, name, tags=tags, model_type="bundle")
    try:
        client.log_model_artifacts(logged.model_id, str(folder))
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name, {"bundle": tags["bundle"]}, about)
    source = f"models:/{logged.model_id}"
    return str(client.create_model_version(name, source, tags=tags, model_id=logged.model_id).version)


@contextmanager
def _connected(store: str) -> Iterator[None]:
    """Make the store that of this process, where the registry looks for models; uploads may take their time."""
    before = {key: os.environ.get(key) for key in (*_ENVIRONMENT, "MLFLOW_TRACKING_URI")}
    address = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    os.environ.update(_ENVIRONMENT)
    mlflow.set_tracking_uri(store)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(address)  # type: ignore[arg-type]
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.update({key: value})
