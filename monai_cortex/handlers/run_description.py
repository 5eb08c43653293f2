"""What a run says about itself: the config it ran with, its code, its bundle."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.utils import get_seed

from monai_cortex import __version__
from monai_cortex.handlers.privacy import data_name, host_name, scrub
from monai_cortex.handlers.running_config import running_config

__all__ = ["describe", "describe_data", "executed_config", "git_revision", "software_versions"]

_UNKNOWN = "unknown"
_SAMPLES = "default"  # name of data that a config does not name by a folder
_CHECKOUT = Path(__file__).parents[2]


def executed_config(config: Mapping[str, Any] | ConfigParser | str | Path | None) -> dict[str, Any]:
    """The config as a dictionary.

    Args:
        config: a dictionary, a parser, or the path of a JSON file that may not exist; None is what the command line
            says, see :func:`running_config`.
    """
    if config is None:
        config = running_config()
    if isinstance(config, ConfigParser):
        config = config.get()
    elif isinstance(config, (str, Path)):
        config = _read(Path(config))
    return dict(config) if isinstance(config, Mapping) else {}


def describe(
    config: Mapping[str, Any], bundle_root: str | Path, engine: Engine, tags: Mapping[str, Any] | None
) -> dict[str, str]:
    """Tags of a run: bundle, bundle_version, git_revision, device, seed, data, and of which process it is.

    Args:
        config: see :func:`executed_config`.
        bundle_root: folder of the bundle.
        engine: that runs.
        tags: added to, or instead of, these.
    """
    metadata = _read(Path(bundle_root) / "configs" / "metadata.json")
    name = Path(bundle_root).resolve().name if metadata else None
    metadata = metadata or config.get("_meta_") or {}
    seed = config.get("seed")
    found = {
        "bundle": name or metadata.get("name", _UNKNOWN),
        "bundle_version": metadata.get("version", _UNKNOWN),
        "git_revision": git_revision(),
        "device": getattr(engine.state, "device", "cpu"),
        "seed": seed if isinstance(seed, int) else get_seed(),
        "data": data_name(config.get("dataset_dir")),
        "host": host_name(),
        "pid": os.getpid(),
    }
    return {key: str(scrub(str(value))) for key, value in {**found, **(tags or {})}.items()}


def describe_data(config: Mapping[str, Any], bundle: str, output_dir: Path) -> dict[str, str] | None:
    """The data set of a run: ``name``, ``digest`` and ``source``; None where the config names none.

    The source is relative to the output folder for the bundle's own samples, which are written there; of other data
    only a hash leaves the machine, since folders may be named after people.

    Args:
        config: see :func:`executed_config`.
        bundle: its name.
        output_dir: of the run.
    """
    if "dataset_dir" not in config:
        return None
    digest, kind, source = data_name(config["dataset_dir"]), "data", "dataset_dir"
    if digest == _SAMPLES:
        digest, kind, source = data_name(output_dir / "samples"), "samples", "samples"
    return {"name": f"{bundle} {kind}", "digest": digest.rpartition(":")[2], "source": source}


@cache
def git_revision() -> str:
    """Commit of the source checkout this package runs from, or ``unknown`` where it is installed."""
    if not (_CHECKOUT / ".git").exists():  # a repository further up is somebody else's
        return _UNKNOWN
    command = ["git", "-C", str(_CHECKOUT), "rev-parse", "--verify", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return _UNKNOWN
    return answer.stdout.strip() or _UNKNOWN


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def software_versions() -> dict[str, str]:
    """Versions of what numbers depend on, and the device that is there, by name."""
    names = ("monai", "torch", "numpy", "nibabel")
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return {
        "monai_cortex": __version__,
        **{name: version(name) for name in names},
        "Python": platform.python_version(),
        "device": device,
    }
