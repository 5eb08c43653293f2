"""GIFTI files read with suspicion: no entity is expanded, no other file opened, nothing inflated beyond its size.

nibabel reads arrays from any file that a GIFTI file names, and inflates without limit; hence this parser.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, cast
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np
from numpy.typing import NDArray

from monai_cortex.errors import ResourceError

from .gifti_array import GiftiArray, GiftiLayout, decode, read_gifti_layout
from .image_file import inspect_content
from .memory import OPTION, memory_limit
from .named_file import NamedFile

__all__ = ["GiftiDocument", "read_gifti"]

_CHUNK = 1 << 20
# Bytes of XML; more is no surface, and would take longer than anyone waits.
_LARGEST = 1_000_000_000
_TEXTS = {"Name", "Value", "Label", "DataSpace", "MatrixData", "Data"}
_TEXT_LIMIT = 1 << 16
_ELEMENTS = 1_000_000
_WEB_PAGE = re.compile(rb"[\xef\xbb\xbf\s]*<(!doctype )?html", re.IGNORECASE)
_KEYS = (-(1 << 31), 1 << 32)
_PAGE = "name a GIFTI file; download the file itself, not the page that shows it"


class GiftiDocument(NamedTuple):
    """What a GIFTI file holds.

    Attributes:
        arrays: the data arrays in the file's order.
        metadata: of the whole file.
        labels: name and color (red, green, blue, alpha, in [0, 1]) of each key of the label table.
    """

    arrays: list[GiftiArray]
    metadata: dict[str, str]
    labels: dict[int, tuple[str, tuple[float, ...]]]


def read_gifti(path: str | os.PathLike[str], subject: str = "") -> GiftiDocument:
    """Read all data arrays of a GIFTI file, ``.gii`` or ``.gii.gz``.

    Args:
        path: of the file.
        subject: identifier for messages.

    Returns:
        Arrays in the byte order of this machine, with their metadata.

    Raises:
        InputFileError: missing, truncated, damaged, no GIFTI file, with entities, or with data in another file.
        ResourceError: the arrays need more memory than the limit.
    """
    path = Path(path)
    limit = min(memory_limit(), _LARGEST)
    content = inspect_content(path, subject, limit, markup=True)
    parser = _Parser(path, subject)
    if content.size > limit:
        raise ResourceError(
            "the GIFTI file needs more memory than is allowed",
            file=path,
            subject=subject,
            found=f"more than {limit / 1e9:.3g} GB of text",
            expected=f"at most {limit / 1e9:.3g} GB",
            remedy=f"check that the file is what it should be, or raise {OPTION}",
        )
    if not content.complete:
        parser.refuse("truncated: the compressed stream ends early", f"{content.size:,} bytes", "a gzip trailer")
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            return parser.read(cast(BinaryIO, stream))
    except (ExpatError, ValueError, LookupError, OverflowError) as error:
        if _WEB_PAGE.match(content.head):
            parser.no_gifti("a web page")
        parser.refuse("truncated or damaged: the XML of the GIFTI file cannot be read", error, "well-formed XML")


class _Parser(NamedFile):
    """State of one pass over the XML of one file."""

    def __init__(self, path: Path, subject: str) -> None:
        super().__init__(path, subject)
        self.document = GiftiDocument([], {}, {})
        self.open: list[str] = []
        self.elements = 0
        self.text: list[str] | None = None
        self.left = 0
        self.pair = ["", ""]
        self.label: Mapping[str, str] = {}
        self.declared = ""
        # Of the data array that is open.
        self.layout: GiftiLayout | None = None
        self.values: NDArray[np.generic] | None = None
        self.metadata: dict[str, str] = {}
        self.transforms: list[tuple[str, str]] = []
        self.space = ""
        self.ends = {
            "Name": self._end_name,
            "Value": self._end_value,
            "MD": self._end_pair,
            "Label": self._end_label,
            "DataSpace": self._end_space,
            "MatrixData": self._end_matrix,
            "Data": self._end_data,
            "DataArray": self._end_array,
        }

    def read(self, stream: BinaryIO) -> GiftiDocument:
        parser = ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = _CHUNK
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._entity
        parser.ExternalEntityRefHandler = self._entity
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._characters
        parser.EndElementHandler = self._end
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
        count = len(self.document.arrays)
        if self.declared and self.declared.strip() != str(count):
            self.refuse(
                "the GIFTI file contradicts itself", f"{count} data arrays", f"{self.declared[:20]!r} data arrays"
            )
        return self.document

    def _doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:
        if name != "GIFTI":
            self.no_gifti(f"a document of type {name[:40]!r}")
        # The usual line names the DTD's address alone, which is not looked up.
        if subset:
            self._entity()

    def _entity(self, *_: object) -> NoReturn:
        self.refuse(
            "DTD entity refused: the file declares or uses entities",
            "an internal DTD or an entity",
            "plain GIFTI elements",
            "ask who made the file; convert it with a tool that you trust",
        )

    def no_gifti(self, found: str) -> NoReturn:
        self.refuse("not a GIFTI file, no pointset or values in it", found, "XML with the root element GIFTI", _PAGE)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.open and name != "GIFTI":
            self.no_gifti(f"the root element {name[:40]!r}")
        self.elements += 1
        if self.elements > _ELEMENTS:
            self.refuse("the GIFTI file is too complex", f"more than {_ELEMENTS:,} elements", "some data arrays")
        if not self.open:
            self.declared = attributes.get("NumberOfDataArrays", "")
        self.open.append(name)
        self.text, self.left = ([] if name in _TEXTS else None), _TEXT_LIMIT
        if name == "DataArray":
            self.layout = read_gifti_layout(attributes, self)
            self.values, self.metadata, self.transforms = None, {}, []
        elif name == "Label":
            self.label = attributes
        elif name == "Data" and self.layout is not None:
            self.left = self.layout.characters

    def _characters(self, text: str) -> None:
        if self.text is None:
            return
        self.left -= len(text)
        if self.left < 0:
            self.refuse(
                "a text in the GIFTI file is longer than its declared dimensions allow", f"{self.open[-1]}", "less"
            )
        self.text.append(text)

    def _end(self, name: str) -> None:
        self.open.pop()
        text, self.text = "".join(self.text or ()), None
        if name in self.ends:
            self.ends[name](text)

    def _end_name(self, text: str) -> None:
        self.pair[0] = text.strip()

    def _end_value(self, text: str) -> None:
        self.pair[1] = text.strip()

    def _end_pair(self, _: str) -> None:
        target = self.metadata if "DataArray" in self.open else self.document.metadata
        target[self.pair[0]] = self.pair[1]
        self.pair = ["", ""]

    def _end_label(self, text: str) -> None:
        color = tuple(float(self.label.get(part, 0)) for part in ("Red", "Green", "Blue", "Alpha"))
        key = int(self.label.get("Key", self.label.get("Index", "0")))
        if not _KEYS[0] <= key < _KEYS[1]:
            raise ValueError(f"the key {key} of a label is no integer of 32 bits")
        self.document.labels[key] = (text.strip(), color)

    def _end_space(self, text: str) -> None:
        self.space = text.strip()

    def _end_matrix(self, text: str) -> None:
        self.transforms.append((self.space, text))

    def _end_data(self, text: str) -> None:
        if self.layout is None or self.values is not None:
            self.refuse("the GIFTI file has data at a wrong place", "Data", "one Data element in each DataArray")
        self.values = decode(self.layout, text, self)

    def _end_array(self, _: str) -> None:
        if self.layout is None or self.values is None:
            self.refuse("a data array of the GIFTI file has no data", "no Data element", "one Data element in each")
        array = GiftiArray(self.layout.intent, self.values, self.metadata, self.transforms)
        self.document.arrays.append(array)
        self.layout = None
