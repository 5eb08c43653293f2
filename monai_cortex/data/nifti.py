"""Volumes from NIfTI files, every check made before the voxels are believed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nibabel.nifti1 import intent_codes

from monai_cortex.errors import InputFileError

from .nifti_header import Layout, read_layout
from .voxels import Volume, check_values, load_voxels, read_layout_of, require_contrast, require_whole

__all__ = ["Volume", "read_volume"]

_POLICIES = ("error", "mask", "keep")
_NAME = re.compile(r"(.*)\.(nii|hdr|img)(\.gz)?", re.IGNORECASE | re.DOTALL)


def read_volume(
    path: str | os.PathLike[str],
    *,
    ndim: int | None = None,
    subject: str = "",
    nonfinite: str = "error",
    prefer: str = "",
    constant: bool = False,
    intent: str = "",
) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 image, single file or pair, compressed or not.

    A compressed file is read once more, to its end, to verify its checksum. Shear in the sform is honored, an invalid
    pixdim is not looked at where an sform is declared, and units of m or micrometers become mm.

    Args:
        path: ``.nii``, ``.nii.gz``, or either file of a ``.hdr``/``.img`` pair.
        ndim: the number of axes needed, a trailing axis of size 1 not counted; None takes 3 and 4.
        subject: identifier for messages.
        nonfinite: "error" refuses NaN and infinite voxels, "mask" makes them 0 and logs their number, "keep" leaves
            them to the caller.
        prefer: "sform" or "qform" decides where both are declared and disagree; "" refuses.
        constant: accept an image that has the same value everywhere.
        intent: NIfTI intent that the header has to declare, such as "vector"; "" takes any.

    Returns:
        Voxels as float32 and the affine.

    Raises:
        InputFileError: the file is missing, damaged, foreign or contradicts itself.
        ResourceError: the image needs more memory than the limit.
    """
    if nonfinite not in _POLICIES or prefer not in ("", "sform", "qform"):
        raise ValueError(
            f'need nonfinite in {_POLICIES} and prefer "", "sform" or "qform", got {nonfinite!r}, {prefer!r}.'
        )
    header_path, image_path = _pair(Path(path), subject)
    single = image_path == header_path
    layout = read_layout_of(header_path, subject, lambda head: read_layout(head, header_path, subject, prefer, single))
    if not single:
        require_whole(layout._replace(offset=0, shape=()), header_path, subject, surplus=True)
    require_whole(layout, image_path, subject)
    if intent:
        _require_intent(layout, intent, header_path, subject)
    layout = layout._replace(shape=_shape(layout.shape, ndim, path, subject))
    values = check_values(load_voxels(image_path, layout, subject), nonfinite, path, subject)
    if not constant:
        require_contrast(values, path, subject)
    return Volume(values, layout.affine)


def _pair(path: Path, subject: str) -> tuple[Path, Path]:
    """Files of the header and of the voxels."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise InputFileError(
            "not the name of a NIfTI image",
            file=path,
            subject=subject,
            found=path.suffix or "no suffix",
            expected=".nii, .hdr or .img, with or without .gz",
            remedy="convert the image to .nii.gz",
        )
    stem, kind, zipped = match.groups(default="")
    if kind.lower() == "nii":
        return path, path
    names = ("HDR", "IMG") if kind.isupper() else ("hdr", "img")
    return path.with_name(f"{stem}.{names[0]}{zipped}"), path.with_name(f"{stem}.{names[1]}{zipped}")


def _require_intent(layout: Layout, intent: str, path: Path, subject: str) -> None:
    code = intent_codes[intent]
    if layout.intent != code:
        known = intent_codes.label[layout.intent] if layout.intent in intent_codes.label else "unknown"
        raise InputFileError(
            f"the image is no {intent} image (intent)",
            file=path,
            subject=subject,
            found=f"NIfTI intent {layout.intent} ({known})",
            expected=f"NIfTI intent {code} ({intent})",
            remedy="check that files were not mixed up, or export the image with this intent",
        )


def _shape(shape: tuple[int, ...], ndim: int | None, path: object, subject: str) -> tuple[int, ...]:
    least = ndim or 3
    core = shape
    while len(core) > least and core[-1] == 1:
        core = core[:-1]
    if len(core) != ndim if ndim else len(core) not in (3, 4):
        raise InputFileError(
            "wrong number of dimensions (ndim)",
            file=path,
            subject=subject,
            found=f"{len(core)} dimensions, shape {shape}",
            expected=f"{ndim or '3 or 4'} dimensions",
            remedy="select the volume needed, or check that files were not mixed up",
        )
    return core
