"""Patients of the ACDC challenge as they are distributed: Info.cfg, the two labeled frames, the whole cine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from .input_file import read_text
from .named_file import NamedFile

__all__ = ["INFO", "Phases", "frame_files", "read_phases"]

INFO = "Info.cfg"
_LINE = re.compile(r"\s*(ED|ES)\s*[:=]\s*(\d+)\s*")
_SUFFIXES = (".nii.gz", ".nii")


class Phases(NamedTuple):
    """Frames of the heart's cycle, counted from 1.

    Attributes:
        diastole: frame at end-diastole, the fullest ventricle.
        systole: frame at end-systole, the emptiest one.
    """

    diastole: int
    systole: int


def read_phases(path: str | os.PathLike[str], subject: str = "") -> Phases:
    """Read which frames of a patient are end-diastole (ED) and end-systole (ES).

    Args:
        path: of ``Info.cfg``, with the lines ``ED: 1`` and ``ES: 12``; others are not looked at.
        subject: identifier for messages.

    Raises:
        InputFileError: the file is missing, or a frame is missing, named twice, below 1, or both are one.
    """
    file = NamedFile(path, subject)
    lines = [match.groups() for match in map(_LINE.fullmatch, read_text(path, subject).splitlines()) if match]
    frames = {name: int(number) for name, number in lines}
    if len(lines) != len(frames) or set(frames) != {"ED", "ES"} or min(frames.values()) < 1:
        found = ", ".join(f"{name}: {number}" for name, number in lines) or "neither ED nor ES"
        file.refuse("the frames of end-diastole and end-systole are not known", found, "lines ED: 1 and ES: 12, once")
    if frames["ED"] == frames["ES"]:
        file.refuse("end-diastole and end-systole are the same frame", f"ED and ES {frames['ED']}", "two frames")
    return Phases(frames["ED"], frames["ES"])


def frame_files(place: Path, frame: int) -> tuple[Path, Path | None]:
    """Image and labels of a frame: ``patient001_frame01.nii.gz`` and ``patient001_frame01_gt.nii.gz``.

    The image's path is given where there is none too; reading it then says so.

    Args:
        place: folder of the patient.
        frame: counted from 1.
    """
    stem = f"{place.resolve().name}_frame{frame:02d}"
    image = _first(place, stem)
    return image or place / f"{stem}{_SUFFIXES[0]}", _first(place, f"{stem}_gt")


def _first(place: Path, stem: str) -> Path | None:
    paths = (place / f"{stem}{suffix}" for suffix in _SUFFIXES)
    # Some copies of the data set hold folders of these names, with the image within.
    return next((path for path in paths if os.path.lexists(path) and not path.is_dir()), None)
