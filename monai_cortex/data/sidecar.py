"""The record beside a file that was written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .atomic import sha256, write_json

__all__ = ["write_sidecar"]

_FORMAT = re.compile(r"(\.(nii|gii)(\.gz)?|\.h5)$")


def write_sidecar(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Write what is to be said of a file as ``<name>.json`` beside it, with the file's sha256.

    Args:
        path: of the file, complete; the suffixes of NIfTI, GIFTI and HDF5 give way, FreeSurfer's names have none.
        record: units, sources, conventions and the like.

    Raises:
        ResourceError: the disk is full.
    """
    path = Path(path)
    write_json(path.with_name(f"{_FORMAT.sub('', path.name)}.json"), {**record, "sha256": sha256(path)})
