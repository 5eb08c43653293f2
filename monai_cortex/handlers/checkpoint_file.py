"""Checkpoint files: written whole or not at all, read without running anything they contain."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_cortex.data import atomic_path
from monai_cortex.data import sha256 as file_sha256
from monai_cortex.errors import CheckpointError, ResourceError

__all__ = ["plain_state", "read_checkpoint", "write_checkpoint"]

_MAPPINGS: tuple[type[dict], ...] = (OrderedDict, Counter)  # these survive; every other mapping is stored as a dict


def plain_state(value: Any) -> Any:
    """Copy a state so that it holds only what a safe reader accepts, and nothing of the machine it was made on.

    Args:
        value: nested mappings, lists and tuples of tensors, numbers, texts and None, as ``state_dict`` methods give.

    Returns:
        The same structure: tensors as contiguous CPU tensors without metadata, numpy numbers as Python numbers.

    Raises:
        ValueError: if there is anything else in it.
    """
    if isinstance(value, Tensor):
        return _plain_tensor(value)
    if isinstance(value, Mapping):
        items = {key: plain_state(part) for key, part in value.items()}
        kind = next((kind for kind in _MAPPINGS if isinstance(value, kind)), dict)
        return kind(items)
    if isinstance(value, (list, tuple)):
        return [plain_state(part) for part in value] if isinstance(value, list) else tuple(map(plain_state, value))
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"a checkpoint holds tensors, numbers and texts, got {type(value).__name__}; leave it out.")


def _plain_tensor(value: Tensor) -> Tensor:
    bare = value.detach().as_subclass(Tensor).cpu()
    # A view would be stored with all the memory that it looks into.
    return bare.clone(memory_format=torch.contiguous_format) if bare.layout == torch.strided else bare


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint; the file that was there stays until the new one is complete on the disk.

    Equal content gives equal bytes.

    Args:
        path: final name.
        content: see :func:`plain_state`.

    Raises:
        ResourceError: if it cannot be written; then the old file is untouched.
    """
    state = plain_state(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Into a stream, since torch writes the name of a file, which is a random one here, into the file.
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            torch.save(state, stream)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        free = shutil.disk_usage(path.parent).free
        raise ResourceError(
            "the checkpoint could not be written; the one before is intact",
            file=path,
            found=f"{free / 1e6:.0f} MB free; {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            expected=f"{_size(state) / 1e6:.0f} MB",
            remedy="free some space, or choose another output_dir",
        ) from error


def _size(value: Any) -> int:
    """Bytes of all tensors."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return sum(map(_size, parts))


def read_checkpoint(path: str | Path, sha256: str | None = None) -> Any:
    """Read a checkpoint to the CPU, after checking that it is complete and unchanged.

    Args:
        path: file written by ``torch.save``.
        sha256: expected digest in hexadecimal, where a manifest gives one.

    Raises:
        CheckpointError: if the file is missing, damaged, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("there is no checkpoint", file=path, remedy="check the path, or train first")
    if sha256 is not None and (digest := file_sha256(path)) != sha256.lower():
        raise _damaged(path, f"{path.stat().st_size} bytes, sha256 {digest}", f"sha256 {sha256}")
    if not path.stat().st_size:
        raise _damaged(path, "an empty file")
    try:
        _check_members(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files
        text = str(error)
        if isinstance(error, (UnpicklingError, RuntimeError)) and ("GLOBAL" in text or "TorchScript" in text):
            raise _unsafe(path, text) from error
        reason = text.splitlines()[0][:120] if text and not isinstance(error, UnpicklingError) else "unreadable content"
        raise _damaged(path, f"{path.stat().st_size} bytes, {reason}") from error


def _check_members(path: Path) -> None:
    """Compare the checksums inside the file, which torch writes but does not read."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise ValueError(f"wrong checksum of {name}")


def _damaged(path: Path, found: str, expected: str = "a complete file written by torch.save") -> CheckpointError:
    remedy = "get the file again, or use an earlier checkpoint"
    return CheckpointError("the checkpoint is damaged", file=path, found=found, expected=expected, remedy=remedy)


def _unsafe(path: Path, text: str) -> CheckpointError:
    line = next((line.strip() for line in text.splitlines() if "GLOBAL" in line), "a TorchScript program")
    return CheckpointError(
        "the checkpoint holds more than weights; nothing of it was run",
        file=path,
        found=f"unsafe content: {line[:120]}",
        expected="tensors, numbers and texts",
        remedy="export it with torch.save(network.state_dict(), path) where you trust it",
    )
