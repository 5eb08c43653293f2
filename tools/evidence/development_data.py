"""Where the development data are."""

from __future__ import annotations

import os
from pathlib import Path

import click

__all__ = ["fsaverage5_labels", "population_904"]


def population_904() -> Path:
    """Folder with mean and deviation of 904 people's sulcal depth (DeepPrep, Apache-2.0)."""
    return _folder("cortex_population_904")


def fsaverage5_labels() -> Path:
    """Folder with the aparc annotation of fsaverage5."""
    return _folder("fsaverage5_labels")


def _folder(name: str) -> Path:
    if "MONAI_CORTEX_DEV_DATA" not in os.environ:
        raise click.UsageError(f"set MONAI_CORTEX_DEV_DATA to the folder that holds {name}.")
    return Path(os.environ["MONAI_CORTEX_DEV_DATA"]) / name
