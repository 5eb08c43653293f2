"""Runs that a killed process has left open."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from monai_cortex.handlers.privacy import host_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["close_stale_runs", "is_alive"]


def close_stale_runs(client: MlflowClient, ours: Collection[str]) -> None:
    """Mark as KILLED the runs of this machine that are RUNNING in the store although their process is dead.

    Args:
        client: of the store.
        ours: ids of the runs that this process has open.
    """
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    running = f"attributes.status = 'RUNNING' and tags.host = '{host_name()}'"
    for run in client.search_runs(experiments, running):
        pid = run.data.tags.get("pid", "")
        # An earlier process may have had the number that is ours now.
        alive = run.info.run_id in ours if pid == str(os.getpid()) else is_alive(pid)
        if not alive:
            client.set_terminated(run.info.run_id, "KILLED")


def is_alive(pid: str) -> bool:
    """Whether a process of this machine may be running; what cannot be told counts as alive.

    Args:
        pid: its number.
    """
    if sys.platform == "win32" or not pid.isdecimal():  # no harmless signal to ask with, or nothing to ask for
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
