"""One data array of a GIFTI file: its declared size bounds what is decoded."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import ResourceError

from .memory import OPTION, memory_limit
from .named_file import NamedFile

__all__ = ["GiftiArray", "GiftiLayout", "decode", "read_gifti_layout"]

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
_TYPE = "NIFTI_TYPE_"
_ENCODINGS = ("ASCII", "Base64Binary", "GZipBase64Binary")
_EXTERNAL = "ExternalFileBinary"
_ENDIANS = {"LittleEndian": "<", "BigEndian": ">"}
_ORDERS = {"RowMajorOrder": "C", "ColumnMajorOrder": "F"}
_AXES = 6
# A wrapper of zlib or of gzip, told from its first bytes.
_WBITS = 47


class GiftiArray(NamedTuple):
    """A decoded data array.

    Attributes:
        intent: such as "NIFTI_INTENT_POINTSET".
        values: in the declared shape, such as ``(V, 3)``.
        metadata: names and values.
        transforms: the data space, and the text of the matrix ``(4, 4)``, of each coordinate transform.
    """

    intent: str
    values: NDArray[Any]
    metadata: dict[str, str]
    transforms: list[tuple[str, str]]


class GiftiLayout(NamedTuple):
    """What the attributes of a data array declare.

    Attributes:
        intent: such as "NIFTI_INTENT_POINTSET".
        dtype: of the numbers, byte order included.
        shape: all positive.
        order: "C" or "F".
        encoding: "ASCII", "Base64Binary" or "GZipBase64Binary".
    """

    intent: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: str
    encoding: str

    @property
    def size(self) -> int:
        """Bytes of the decoded array."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def characters(self) -> int:
        """Most characters that encode it, with room for blanks: base64 takes 4 for 3 bytes, a number at most 64."""
        return 4096 + (64 * math.prod(self.shape) if self.encoding == "ASCII" else 2 * self.size)


def read_gifti_layout(attributes: Mapping[str, str], file: NamedFile) -> GiftiLayout:
    """Read the attributes of a data array.

    Args:
        attributes: of the element.
        file: for messages.

    Raises:
        InputFileError: an attribute is unknown, or the data are in another file.
        ResourceError: the declared array needs more memory than the limit.
    """
    encoding = attributes.get("Encoding", "")
    if encoding == _EXTERNAL:
        file.refuse(
            "external data refused: the numbers of the GIFTI file are in another file",
            f"{_EXTERNAL}, file {attributes.get('ExternalFileName', '')[-80:]!r}, which was not opened",
            "numbers inside the file",
            "convert the file so that it holds its data",
        )
    _require_known("Encoding", encoding, _ENCODINGS, file)
    order = _require_known("ArrayIndexingOrder", attributes.get("ArrayIndexingOrder", ""), _ORDERS, file)
    name = _require_known("DataType", attributes.get("DataType", ""), [_TYPE + name.upper() for name in _TYPES], file)
    # Text has no byte order.
    endian = "LittleEndian" if encoding == "ASCII" else attributes.get("Endian", "")
    _require_known("Endian", endian, _ENDIANS, file)
    dtype = np.dtype(_ENDIANS[endian] + np.dtype(name.removeprefix(_TYPE).lower()).str[1:])
    layout = GiftiLayout(attributes.get("Intent", ""), dtype, _shape(attributes, file), _ORDERS[order], encoding)
    if layout.size > memory_limit():
        raise ResourceError(
            "a data array of the GIFTI file needs more memory than is allowed",
            file=file.path,
            subject=file.subject,
            found=f"{layout.size / 1e9:.3g} GB declared, shape {layout.shape}",
            expected=f"at most {memory_limit() / 1e9:.3g} GB",
            remedy=f"check that the file is what it should be, or raise {OPTION}",
        )
    return layout


def decode(layout: GiftiLayout, text: str, file: NamedFile) -> NDArray[Any]:
    """Decode the text of a data array; decompression stops at the declared size.

    Args:
        layout: what the attributes declare.
        text: content of the Data element.
        file: for messages.

    Returns:
        Numbers in the declared shape and the byte order of this machine.

    Raises:
        InputFileError: damaged, or more or fewer numbers than declared.
    """
    try:
        flat = _from_text(layout, text) if layout.encoding == "ASCII" else _from_bytes(layout, text)
    except (binascii.Error, zlib.error, ValueError, OverflowError) as error:
        file.refuse(
            "a data array of the GIFTI file is damaged", error, f"{layout.size:,} bytes, encoded as {layout.encoding}"
        )
    if flat.size != math.prod(layout.shape):
        more = " or more" if flat.size > math.prod(layout.shape) else ""
        file.refuse(
            "a data array of the GIFTI file does not fit its declared dimensions",
            f"{flat.size:,}{more} values",
            f"{math.prod(layout.shape):,} values, shape {layout.shape}",
        )
    shaped: NDArray[Any] = flat.reshape(layout.shape, order="F" if layout.order == "F" else "C")
    return shaped.astype(layout.dtype.newbyteorder("="), order="C", copy=False)


def _require_known(name: str, value: str, known: Any, file: NamedFile) -> str:
    if value not in known:
        file.refuse(f"unknown {name} in the GIFTI file", repr(value[:40]), ", ".join(known))
    return value


def _shape(attributes: Mapping[str, str], file: NamedFile) -> tuple[int, ...]:
    count = attributes.get("Dimensionality", "")
    if not (count.isascii() and count.isdigit() and 1 <= int(count[:4]) <= _AXES):
        file.refuse("invalid dimensions in the GIFTI file", f"Dimensionality {count[:20]!r}", f"1 to {_AXES}")
    texts = [attributes.get(f"Dim{axis}", "") for axis in range(int(count))]
    if not all(text.isascii() and text.isdigit() and 0 < int(text[:20]) for text in texts):
        file.refuse(
            "invalid dimensions in the GIFTI file", f"{[text[:20] for text in texts]}", "positive whole numbers"
        )
    return tuple(int(text[:20]) for text in texts)


def _from_text(layout: GiftiLayout, text: str) -> NDArray[Any]:
    kind = float if layout.dtype.kind == "f" else int
    numbers = np.array([kind(word) for word in text.split()])
    with np.errstate(over="ignore"):
        found = numbers.astype(layout.dtype)
    if kind is int and (found != numbers).any():
        raise ValueError(f"a number does not fit into {layout.dtype.name}")
    return found


def _from_bytes(layout: GiftiLayout, text: str) -> NDArray[Any]:
    data = base64.b64decode("".join(text.split()), validate=True)
    if layout.encoding != "Base64Binary":
        data = _inflate(data, layout.size)
    if len(data) % layout.dtype.itemsize:
        raise ValueError(f"{len(data):,} bytes are no whole number of values")
    return np.frombuffer(data, layout.dtype)


def _inflate(data: bytes, size: int) -> bytes:
    """At most one byte more than declared, so that too much is told from enough."""
    stream = zlib.decompressobj(wbits=_WBITS)
    found = stream.decompress(data, size + 1)
    if len(found) > size:
        raise ValueError(f"it expands beyond the declared {size:,} bytes")
    if not stream.eof:
        raise ValueError(f"the compressed data end early, after {len(found):,} bytes")
    return found
