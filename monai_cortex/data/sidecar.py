"""The record beside a file that was written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .atomic import sha256, write_json

__all__ = ["sidecar_path", "write_sidecar"]

_FORMAT = re.compile(r"(\.(nii|gii)(\.gz)?|\.h5)$")


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Where the record of a file stands: beside it, as ``<name>.json``.

    Args:
        path: of the file; the suffixes of NIfTI, GIFTI and HDF5 give way, FreeSurfer's names have none.
    """
    path = Path(path)
    return path.with_name(f"{_FORMAT.sub('', path.name)}.json")


def write_sidecar(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Write what is to be said of a file into its :func:`sidecar_path`, with the file's sha256.

    Args:
        path: of the file, complete.
        record: units, sources, conventions and the like.

    Raises:
        ResourceError: the disk is full.
    """
    write_json(sidecar_path(path), {**record, "sha256": sha256(path)})
