"""Deliver what runs could not tell their tracker."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from monai_cortex.errors import ConfigError, CortexError, ResourceError
from monai_cortex.handlers.privacy import host_name
from monai_cortex.handlers.stale_runs import is_alive
from monai_cortex.handlers.tracker_store import artifact_place, database_uri, find_experiment, store_uri
from monai_cortex.handlers.tracking_entries import deliver, now
from monai_cortex.handlers.tracking_journal import journals, read_journal

__all__ = ["Synchronized", "sync_runs"]

_log = logging.getLogger(__name__)


class Synchronized(NamedTuple):
    """What was done.

    Attributes:
        runs: number of runs that had a journal.
        entries: number of entries delivered.
        lost: number of artifacts that are gone.
    """

    runs: int
    entries: int
    lost: int


def sync_runs(output_dir: str | Path, tracking_uri: str | None = None) -> Synchronized:
    """Deliver all journals of an output folder, and remove those of runs that have ended.

    Nothing is doubled where it was delivered before, in part or altogether: this may be killed and repeated. A run that
    could not be opened is opened now, with the time of its start.

    Args:
        output_dir: folder of the runs' results.
        tracking_uri: of the store, for runs whose journal does not name it.

    Raises:
        ConfigError: the store of a run is not known.
        ResourceError: the store does not answer; what it has not got is kept.
    """
    output_dir, total = Path(output_dir).absolute(), Synchronized(0, 0, 0)
    for path in journals(output_dir):
        try:
            done = _sync(path, output_dir, tracking_uri)
        except CortexError:
            raise
        except Exception as error:  # trackers raise what their transport raises
            raise ResourceError(
                "the tracker does not take the entries of a run; they are kept",
                file=path,
                found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}",
                expected="a store that answers",
                remedy="try again later, or name another store with --tracking-uri",
            ) from error
        total = Synchronized(*(a + b for a, b in zip(total, done, strict=True)))
    return total


def _sync(path: Path, output_dir: Path, tracking_uri: str | None) -> Synchronized:
    run, entries = read_journal(path)
    uri = _store(run, path, output_dir, tracking_uri)
    client = MlflowClient(uri)
    run_id, lost = _run_id(client, run, artifact_place(uri)), 0
    for entry in entries:
        try:
            deliver(client, run_id, entry, output_dir)
        except FileNotFoundError as error:
            lost += 1
            _log.warning("%s: artifact %s is gone", path.stem, error)
    if client.get_run(run_id).info.status == "RUNNING" and _is_over(run.get("tags", {})):
        client.set_terminated(run_id, "KILLED", now())
    if client.get_run(run_id).info.status != "RUNNING":
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return Synchronized(1, len(entries) - lost, lost)


def _store(run: Mapping[str, Any], path: Path, output_dir: Path, tracking_uri: str | None) -> str:
    known = store_uri(tracking_uri) or run.get("store", "")
    if known == "":
        raise ConfigError(
            "the store of a run is not known",
            file=path,
            found="a journal without an address",
            expected="the store that the run was meant for",
            remedy="name it with --tracking-uri sqlite:///FOLDER/mlruns.db",
        )
    return known or database_uri(output_dir)


def _run_id(client: MlflowClient, run: Mapping[str, Any], place: str | None) -> str:
    if run.get("run_id"):
        try:
            return str(client.get_run(run["run_id"]).info.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    experiment = find_experiment(client, run["experiment"], place)
    found = client.search_runs([experiment], f"attributes.run_name = '{run['name']}'")
    if found:
        return str(found[0].info.run_id)
    made = client.create_run(experiment, run["started"], dict(run["tags"]), run["name"])
    return str(made.info.run_id)


def _is_over(tags: Mapping[str, str]) -> bool:
    """Whether the run's process is one of this machine, and dead."""
    pid = tags.get("pid", "")
    return tags.get("host") == host_name() and pid != str(os.getpid()) and not is_alive(pid)
