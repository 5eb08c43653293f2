"""Pairs of cardiac images of a dataset folder, in this project's layout or in ACDC's own, as items."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai_cortex.errors import ConfigError, InputFileError

from .acdc_layout import INFO, frame_files, read_phases
from .cardiac_labels import CARDIAC_LABELS, require_label_names
from .dataset_folder import no_subject, subject_folders
from .input_file import require_file

__all__ = ["cardiac_subjects"]

_log = logging.getLogger(__name__)
_DIRECTIONS = ("ed2es", "es2ed")
_AS_NAMED = "moving2fixed"
_IMAGES = ("fixed", "moving")
_OPTIONAL = ("fixed_seg", "moving_seg", "true_warp", "true_inverse_warp")
_SUFFIXES = (".nii.gz", ".nii")
_DEPTH = 2  # folders between the dataset and its patients, such as database/training
_LAYOUT = (
    "<subject>/fixed.nii.gz moving.nii.gz [fixed_seg.nii.gz moving_seg.nii.gz], "
    f"or ACDC: <patient>/{INFO} <patient>_frameNN.nii.gz [<patient>_frameNN_gt.nii.gz]"
)


def cardiac_subjects(
    dataset_dir: str | os.PathLike[str],
    direction: str = "ed2es",
    labels: Mapping[str, int] | None = CARDIAC_LABELS,
    *,
    strict: bool = True,
) -> list[dict[str, Any]]:
    """List the pairs of a dataset: folders with a fixed and a moving image, or patients of ACDC.

    Subjects may lie in folders such as ``training`` and ``testing``. Where a folder is both, its fixed and moving image
    are taken.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        direction: of patients of ACDC: "ed2es" moves the image at end-diastole to the one at end-systole, which is
            fixed; "es2ed" the other way round. Where files are called fixed and moving, their names decide.
        labels: numbers in the label files of "rv", "myo" and "lv"; None for other anatomy, whose numbers stay.
        strict: False lists subjects with missing files too; reading them then raises.

    Returns:
        Items sorted by folder: ``subject``, the folder's name; ``direction``, "moving2fixed" where the files' names
        decide; ``labels``; the paths ``fixed`` and ``moving``; where the files are there ``fixed_seg``, ``moving_seg``,
        ``true_warp`` and ``true_inverse_warp``; and ``info``, the path of ``Info.cfg``, of patients of ACDC.

    Raises:
        InputFileError: the folder is missing or holds no subject, a file is missing or names no frames, or two
            subjects have one name.
        ConfigError: direction or labels cannot be used.
    """
    if direction not in _DIRECTIONS:
        raise ConfigError(
            "direction cannot be used", found=direction, expected='"ed2es" or "es2ed"', remedy="set one of the two"
        )
    require_label_names(labels)
    folder, places = subject_folders(dataset_dir, _is_subject, _LAYOUT)
    subjects = [subject for place in places for subject in _subjects(place, _DEPTH)]
    if not subjects:
        raise no_subject(folder, places, f"fixed.nii.gz or {INFO}", _LAYOUT)
    items = [_item(place, direction, strict) | {"labels": labels} for place in subjects]
    if direction != _DIRECTIONS[0] and not any("info" in item for item in items):
        _log.warning("direction %s changes nothing: the files are called fixed and moving", direction)
    _check_unique(items)
    for item in items if strict else ():
        for key in _IMAGES:
            require_file(item[key], item["subject"])
    return items


def _subjects(place: Path, depth: int) -> Iterator[Path]:
    if _is_subject(place):
        yield place
    elif depth:
        for inner in sorted(inner for inner in place.iterdir() if inner.is_dir() and not inner.name.startswith(".")):
            yield from _subjects(inner, depth - 1)


def _is_subject(place: Path) -> bool:
    return any(_find(place, name) for name in _IMAGES) or os.path.lexists(place / INFO)


def _item(place: Path, direction: str, strict: bool) -> dict[str, Any]:
    subject = Path(os.path.abspath(place)).name
    if any(_find(place, name) for name in _IMAGES):
        found = {name: _find(place, name) for name in _OPTIONAL}
        paths = {name: _find(place, name) or place / f"{name}{_SUFFIXES[0]}" for name in _IMAGES} | found
        return _as_texts(subject, _AS_NAMED, paths)
    info = place / INFO
    try:
        diastole, systole = read_phases(info, subject)
    except InputFileError:
        if strict:
            raise
        # Reading the item reads this file again, and raises.
        return _as_texts(subject, direction, {"info": info})
    moving, fixed = (diastole, systole) if direction == "ed2es" else (systole, diastole)
    paths = {"info": info}
    for name, frame in zip(_IMAGES, (fixed, moving), strict=True):
        paths[name], paths[f"{name}_seg"] = frame_files(place, frame)
    return _as_texts(subject, direction, paths)


def _as_texts(subject: str, direction: str, paths: Mapping[str, Path | None]) -> dict[str, Any]:
    there = {name: str(path) for name, path in paths.items() if path is not None}
    return {"subject": subject, "direction": direction, **there}


def _find(place: Path, name: str) -> Path | None:
    # A link whose content is absent counts: reading it says how to get the content.
    paths = (place / f"{name}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in paths if os.path.lexists(path)), None)


def _check_unique(items: list[dict[str, Any]]) -> None:
    places: dict[str, dict[str, Any]] = {}
    for item in items:
        first = places.setdefault(item["subject"], item)
        if first is not item:
            raise InputFileError(
                "two subjects have the same name, and their results would overwrite each other",
                file=item.get("fixed", item.get("info", "")),
                subject=item["subject"],
                found=f"also {first.get('fixed', first.get('info', ''))}",
                expected="one name for each subject",
                remedy="rename or remove one of the two, or name one of the folders as dataset_dir",
            )
