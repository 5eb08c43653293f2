"""The header of a NIfTI file, read with suspicion: nothing is allocated by what it claims."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from monai_cortex.errors import InputFileError

from .affine import affine_gap, is_usable

__all__ = ["Layout", "read_layout"]

_log = logging.getLogger(__name__)
_SIZES = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_MAGIC = {b"n+1\0": (348, True), b"ni1\0": (348, False), b"n+2\0": (540, True), b"ni2\0": (540, False)}
_MILLIMETERS = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
_AXES = 7
_EDGE = (5e-3, 500.0)
_EXPORT = "export the image again from its source"
_GRID_GAP = 0.1


class Layout(NamedTuple):
    """Where and how an image file holds its voxels.

    Args:
        shape: as the header claims it, ``(I, J, K, ...)``.
        dtype: of the voxels in the file.
        offset: of the first voxel, bytes.
        slope, intercept: intensity is slope times the number in the file plus intercept.
        affine: voxel indices to RAS+ world coordinates in mm, ``(4, 4)``.
        intent: NIfTI code of what the numbers are, 0 where nothing is said.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]
    intent: int = 0

    @property
    def end(self) -> int:
        """First byte behind the voxels."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


class _Header:
    """One header with the file it belongs to, so that every refusal can name it."""

    def __init__(self, head: bytes, file: object, subject: str) -> None:
        self.file, self.subject = file, subject
        size, self.single = self._kind(head)
        order = "<" if int.from_bytes(head[:4], "little") == size else ">"
        kind: Any = _SIZES[size]
        self.fields = kind(head[:size], order, check=False)

    def refuse(self, problem: str, found: object, expected: object, remedy: str = _EXPORT) -> NoReturn:
        raise InputFileError(
            problem, file=self.file, subject=self.subject, found=found, expected=expected, remedy=remedy
        )

    def _kind(self, head: bytes) -> tuple[int, bool]:
        magic = next((m for m in _MAGIC if head[4:8] == m or head[344:348] == m), None)
        if len(head) < min(_SIZES):
            self.refuse("truncated inside the header", f"{len(head)} bytes", f"at least {min(_SIZES)} bytes")
        if magic is None:
            self.refuse("not a NIfTI file (wrong magic)", f"magic {head[344:348]!r}", "magic n+1, ni1, n+2 or ni2")
        size, single = _MAGIC[magic]
        claims = {int.from_bytes(head[:4], order) for order in ("little", "big")}
        if size not in claims or len(head) < size:
            self.refuse("implausible header-size field", min(claims), f"{size}, which the magic {magic!r} implies")
        return size, single

    def require_place(self, single: bool) -> None:
        if single != self.single:
            places = {True: "this file (n+1, n+2)", False: "a .img file beside it (ni1, ni2)"}
            self.refuse(
                "the magic and the name disagree on where the voxels are",
                f"the magic says {places[self.single]}",
                f"{places[single]}, as the name says",
                "rename the file, or export the image again",
            )

    def shape(self) -> tuple[int, ...]:
        dims = [int(size) for size in self.fields["dim"]]
        count = dims[0]
        if not 1 <= count <= _AXES or min(dims[1 : count + 1]) < 1:
            self.refuse("invalid dimension in the header (dim)", f"dim = {dims}", f"1 to {_AXES} axes of positive size")
        return tuple(dims[1 : count + 1])

    def dtype(self) -> np.dtype[Any]:
        code = int(self.fields["datatype"])
        try:
            dtype: np.dtype[Any] = self.fields.get_data_dtype()
        except (HeaderDataError, KeyError):
            self.refuse("unknown data type (dtype)", f"NIfTI data type code {code}", "a real or integer type")
        if dtype.kind not in "iuf":
            self.refuse(
                "voxels are not real numbers (dtype)",
                f"{'complex' if dtype.kind == 'c' else 'structured'} voxels, NIfTI data type code {code}",
                "a real or integer type",
                "export the magnitude or one channel",
            )
        return dtype

    def offset(self) -> int:
        first = self.fields.sizeof_hdr + 4 if self.single else 0
        offset = float(self.fields["vox_offset"])
        if not math.isfinite(offset) or offset < first or offset != int(offset):
            self.refuse("invalid data offset (vox_offset)", offset, f"a whole number of at least {first} bytes")
        return int(offset)

    def scale(self) -> tuple[float, float]:
        try:
            # nibabel takes an infinite slope for none.
            if np.isinf(self.fields["scl_slope"]):
                raise HeaderDataError(f"slope {self.fields['scl_slope']}")
            slope, intercept = self.fields.get_slope_inter()
        except HeaderDataError as error:
            self.refuse("invalid intensity scale (scl_slope, scl_inter)", error, "finite numbers")
        if slope is None and self.fields["scl_slope"] != 0:
            _log.warning("%s: scl_slope is NaN, taken as no scaling", Path(str(self.file)).name)
        return (1.0, 0.0) if slope is None else (slope, intercept or 0.0)

    def affine(self, shape: tuple[int, ...], prefer: str) -> NDArray[np.float64]:
        sform = self.fields.get_sform() if self.fields["sform_code"] > 0 else None
        qform = self._qform() if self.fields["qform_code"] > 0 else None
        if sform is None and qform is None:
            self.refuse(
                "the image has no orientation",
                "sform code 0 and qform code 0",
                "a declared sform or qform",
                "set the true affine as sform with code 1",
            )
        if prefer == "qform" and qform is not None:
            sform = None
        chosen = qform if sform is None else sform
        if chosen is None or not is_usable(chosen):
            name = "qform" if sform is None else "sform"
            self.refuse(f"the {name} affine is not invertible", _rows(chosen), "a finite affine of full rank")
        if sform is not None and qform is not None and is_usable(qform) and not prefer:
            self._compare(sform, qform, shape)
        return self._in_millimeters(chosen)

    def _qform(self) -> NDArray[np.float64] | None:
        if self.fields["pixdim"][0] == 0:  # the format's default, 1
            self.fields["pixdim"][0] = 1
        try:
            with np.errstate(invalid="ignore"):
                return np.asarray(self.fields.get_qform(), np.float64)
        except (HeaderDataError, ValueError):
            return np.full((4, 4), np.nan)

    def _compare(self, sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, ...]) -> None:
        gap = affine_gap(sform, qform, (*shape, 1, 1)[:3])
        if gap > _GRID_GAP:
            self.refuse(
                "sform and qform disagree",
                f"corners up to {gap:.3g} voxels apart; sform {_rows(sform)}, qform {_rows(qform)}",
                f"the same grid within {_GRID_GAP} voxels",
                'find out which is right and keep only that one, or read with prefer="sform" or "qform"',
            )

    def _in_millimeters(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        unit = int(self.fields["xyzt_units"]) & 7
        if unit not in _MILLIMETERS:
            _log.warning("%s: unknown unit of length %d, taken as mm", Path(str(self.file)).name, unit)
        scaled: NDArray[np.float64] = np.array(affine, np.float64)
        scaled[:3] *= _MILLIMETERS.get(unit, 1.0)
        edges = np.linalg.norm(scaled[:3, :3], axis=0)
        if not (_EDGE[0] <= edges.min() and edges.max() <= _EDGE[1]):
            self.refuse(
                "implausible voxel size, or wrong unit of length",
                f"{edges.round(6).tolist()} mm with unit code {unit}",
                f"{_EDGE[0]} to {_EDGE[1]} mm",
                "correct the affine or the unit in the header (xyzt_units)",
            )
        return scaled


def read_layout(head: bytes, file: object, subject: str = "", prefer: str = "", single: bool | None = None) -> Layout:
    """Interpret a header.

    Args:
        head: first bytes of the header's file, decompressed, 540 or more where there are as many.
        file, subject: for messages.
        prefer: "sform" or "qform" decides where both are declared and disagree; "" refuses.
        single: whether the file's name says that the voxels follow in the same file; None takes the magic's word.

    Raises:
        InputFileError: what the header says cannot be.
    """
    header = _Header(head, file, subject)
    header.require_place(header.single if single is None else single)
    shape = header.shape()
    place = header.affine(shape, prefer)
    return Layout(shape, header.dtype(), header.offset(), *header.scale(), place, int(header.fields["intent_code"]))


def _rows(affine: NDArray[np.float64] | None) -> str:
    return "none" if affine is None else str(np.asarray(affine)[:3].round(3).tolist())
