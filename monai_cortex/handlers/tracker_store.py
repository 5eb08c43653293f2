"""Where runs are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mlflow.exceptions import MlflowException

from monai_cortex.errors import ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["artifact_place", "database_file", "database_uri", "find_experiment", "store_uri"]

_SQLITE = "sqlite:///"
# MLflow's own patience with a server that is gone is minutes.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
_KIND = ("mlflow.experimentKind", "custom_model_development")


def database_uri(output_dir: Path) -> str:
    """Address of the database in an output folder, which must be absolute."""
    # Blanks stay: encoded ones become folders of their own beside the right one.
    return _SQLITE + (output_dir / "mlruns.db").as_posix().replace("%", "%25").replace("?", "%3F")


def database_file(uri: str) -> Path | None:
    """File of a store, None of a server."""
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0])) if uri.startswith(_SQLITE) else None


def artifact_place(uri: str) -> str | None:
    """Address of the artifacts of new experiments: beside a database; None leaves it to a server."""
    file = database_file(uri)
    return None if file is None else (file.absolute().parent / "mlruns").as_uri()


def store_uri(uri: str | None) -> str | None:
    """The tracking URI that is asked for, by environment or argument.

    Raises:
        ConfigError: it is a plain folder.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or uri
    if uri and ("://" not in uri or uri.startswith("file:")):
        found, remedy = uri, "give sqlite:///FOLDER/mlruns.db, a server's address, or nothing"
        raise ConfigError("MLflow keeps no runs in plain folders", found=found, expected="a database", remedy=remedy)
    return uri


def find_experiment(client: MlflowClient, name: str, artifacts: str | None = None) -> str:
    """Id of an experiment, which is made where it is missing.

    Args:
        client: of the store.
        name: of the experiment.
        artifacts: address of a new one's artifacts; None leaves it to the store.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            experiment = client.create_experiment(name, artifacts)
        except MlflowException:  # another process has made it between our looking and making
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    experiment = str(found.experiment_id if found is not None else experiment)
    # Without this tag MLflow's page takes the experiment for one of language models and shows no runs at first.
    client.set_experiment_tag(experiment, *_KIND)
    return experiment
