"""The record beside a file of weights: its digest, and the bundle and version that it was trained with."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_cortex.data import bundle_identity, sidecar_path, write_sidecar
from monai_cortex.errors import CheckpointError
from monai_cortex.handlers.checkpoint_file import read_checkpoint, write_checkpoint

__all__ = ["read_weights", "require_own_bundle", "write_weights"]

_log = logging.getLogger(__name__)


def write_weights(path: Path, state: Mapping[str, Any], bundle_root: str | Path | None = None) -> None:
    """Write weights, and ``<name>.json`` beside them with their sha256 and the bundle they belong to.

    Args:
        path: final name.
        state: see :func:`monai_cortex.handlers.checkpoint_file.plain_state`.
        bundle_root: folder of the bundle; without one the record names none.

    Raises:
        ResourceError: if a file cannot be written.
    """
    # Weights without a record are complete, new ones beside an old record would pass for damaged.
    sidecar_path(path).unlink(missing_ok=True)
    write_checkpoint(path, state)
    write_sidecar(path, bundle_identity(bundle_root) if bundle_root else {})


def read_weights(path: str | Path, sha256: str | None = None, bundle_root: str | Path | None = None) -> Any:
    """Read weights, and hold them against the digest given, or that of the record beside them.

    Args:
        path: of the weights, or of a checkpoint.
        sha256: expected digest in hexadecimal.
        bundle_root: folder of the bundle that is to use them; None takes those of any.

    Raises:
        CheckpointError: if they are missing, damaged, unsafe, or say that they belong to another bundle.
    """
    record = _read_record(sidecar_path(path))
    if bundle_root is not None:
        require_own_bundle(record, bundle_root, path)
    content = read_checkpoint(path, sha256 or record.get("sha256"))
    if bundle_root is not None and isinstance(content, Mapping) and isinstance(content.get("bundle"), Mapping):
        require_own_bundle(content["bundle"], bundle_root, path)
    return content


def require_own_bundle(record: Mapping[str, Any], bundle_root: str | Path, path: str | Path) -> None:
    """Refuse what says that it belongs to another bundle; another version of the same one is told.

    A bundle is known by its folder or by its name, so that a folder may be renamed.

    Args:
        record: with ``bundle``, ``name`` and ``version``, where they are known.
        bundle_root: folder of the bundle.
        path: for messages.

    Raises:
        CheckpointError: names both bundles and versions.
    """
    own = bundle_identity(bundle_root)
    known = {key: record[key] for key in ("bundle", "name") if key in record}
    if known and not any(own.get(key) == value for key, value in known.items()):
        raise CheckpointError(
            "the weights belong to another method",
            file=path,
            found=f"{next(iter(known.values()))} {record.get('version', '')}".strip(),
            expected=f"{own['bundle']} {own['version']}",
            remedy="name weights that this bundle has trained",
        )
    if (version := record.get("version", own["version"])) != own["version"]:
        _log.warning("%s was trained with version %s of the bundle; this is %s", path, version, own["version"])


def _read_record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        record, reason = None, str(error)
    else:
        reason = type(record).__name__
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        raise CheckpointError(
            "the record of the weights is damaged",
            file=path,
            found=reason,
            expected="a JSON object with sha256",
            remedy="get both files again, or remove this one to load the weights unchecked",
        )
    return record
