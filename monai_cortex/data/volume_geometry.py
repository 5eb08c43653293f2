"""The volume that a FreeSurfer surface was made from, as the text at the end of its file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .binary_file import BinaryFile

__all__ = ["centered_volume", "center_of", "pack_volume_geometry", "read_volume_geometry"]

_log = logging.getLogger(__name__)
# Tag 20 is the volume geometry; tag 2 before it says by 1 that coordinates are in scanner axes already, else 0.
_HEADS = ((20,), (2, 0, 20), (2, 1, 20))
_TEXTS = ("valid", "filename")
_TRIPLES = {"volume": int, "voxelsize": float, "xras": float, "yras": float, "zras": float, "cras": float}
_THREE = 3
_LIMIT = 1 << 16


def centered_volume(filename: str = "") -> dict[str, Any]:
    """256^3 voxels of 1 mm with their middle at the origin: axes of the surfaces (tkrRAS) are those of the scanner.

    Args:
        filename: of the volume, as FreeSurfer would write it.
    """
    axes = {"xras": np.array([-1.0, 0, 0]), "yras": np.array([0.0, 0, -1]), "zras": np.array([0.0, 1, 0])}
    grid = {"volume": np.array([256, 256, 256]), "voxelsize": np.ones(3), **axes, "cras": np.zeros(3)}
    return {"head": np.array(_HEADS[1]), "valid": "1  # volume info valid", "filename": filename, **grid}


def read_volume_geometry(file: BinaryFile) -> dict[str, Any]:
    """Read what stands behind the triangles of a surface; FreeSurfer's tags behind that are not looked at.

    Args:
        file: opened, its triangles read.

    Returns:
        ``head``, ``valid``, ``filename``, ``volume``, ``voxelsize``, ``xras``, ``yras``, ``zras``, ``cras`` as nibabel
        names and stores them; empty where the file has none, which is then logged if there is something else.

    Raises:
        InputFileError: the text is cut short or damaged.
    """
    tail = file.content(min(file.left, _LIMIT), "volume geometry")
    for head in _HEADS:
        start = np.array(head, ">i4").tobytes()
        sign = start + b"valid"
        if tail and tail[: len(sign)] == sign[: len(tail)]:
            return {"head": np.array(head), **_parse(tail[len(start) :], file)}
    if tail:
        name = Path(file.path).name
        _log.warning("%s: %d bytes behind the triangles are not understood", name, len(tail) + file.left)
    return {}


def center_of(volume_info: Mapping[str, Any]) -> NDArray[np.float64]:
    """Offset c_ras from the surface's coordinates to scanner coordinates, mm, ``(3,)``; zeros where none applies.

    Args:
        volume_info: as :func:`read_volume_geometry` returns it.
    """
    applies = str(volume_info.get("valid", "")).startswith("1") and list(volume_info["head"])[:2] != [2, 1]
    return np.array(volume_info["cras"], np.float64) if applies else np.zeros(3)


def pack_volume_geometry(volume_info: Mapping[str, Any]) -> bytes:
    """Bytes that :func:`read_volume_geometry` reads back exactly.

    The name of the volume's file loses its folders where these lead out of the subject's own: they name people.

    Args:
        volume_info: as :func:`read_volume_geometry` returns it; empty gives no bytes.

    Raises:
        ValueError: a key is missing, or three numbers are not three.
    """
    if not volume_info:
        return b""
    missing = {"head", *_TEXTS, *_TRIPLES} - set(volume_info)
    if missing or any(np.shape(volume_info[key]) != (_THREE,) for key in _TRIPLES):
        raise ValueError(f"volume_info needs what read_surface_geometry returns, {sorted(missing) or 'three numbers'}.")
    texts = {"valid": str(volume_info["valid"]), "filename": _harmless(str(volume_info["filename"]))}
    lines = [f"{key} = {' '.join(text.splitlines())}" for key, text in texts.items()]
    for key, kind in _TRIPLES.items():
        lines.append(f"{key:6s} = {' '.join(repr(kind(number)) for number in volume_info[key])}")
    return np.array(volume_info["head"], ">i4").tobytes() + "".join(f"{line}\n" for line in lines).encode()


def _parse(text: bytes, file: BinaryFile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in (*_TEXTS, *_TRIPLES):
        line, end, text = text.partition(b"\n")
        name, equal, value = line.decode("utf-8", "replace").partition("=")
        try:
            if not (end and equal and name.strip() == key):
                raise ValueError
            found[key] = value.strip() if key in _TEXTS else _triple(value, _TRIPLES[key])
        except (ValueError, OverflowError):
            file.refuse(
                "the surface file is truncated or damaged in its volume geometry",
                repr(line[:60].decode("ascii", "replace")),
                f"a line `{key} = ...`",
            )
    return found


def _triple(text: str, kind: type) -> NDArray[Any]:
    numbers = np.array([kind(word) for word in text.split()])
    if numbers.shape != (_THREE,) or not np.isfinite(numbers.astype(np.float64)).all():
        raise ValueError(text)
    return numbers


def _harmless(name: str) -> str:
    """``../mri/filled.mgz`` stays; a longer way could hold the name of a person or of a machine."""
    parts = PurePosixPath(name).parts
    leads_out = name.startswith("/") or PureWindowsPath(name).drive or "\\" in name or parts.count("..") > 1
    return PureWindowsPath(name).name if leads_out else name
