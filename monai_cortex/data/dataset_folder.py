"""Sub-folders of a dataset, one a subject."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from monai_cortex.errors import InputFileError

__all__ = ["no_subject", "subject_folders"]


def subject_folders(
    dataset_dir: str | os.PathLike[str], is_subject: Callable[[Path], bool], layout: str
) -> tuple[Path, list[Path]]:
    """The dataset's folder, and those to look at: itself where it is a subject, else its visible sub-folders, sorted.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        is_subject: whether a folder holds a subject.
        layout: what is expected, for messages.

    Raises:
        InputFileError: the folder is missing or cannot be read.
    """
    folder = Path(dataset_dir)
    if not folder.is_dir():
        raise InputFileError(
            "the dataset folder does not exist",
            file=folder,
            found="a file" if folder.exists() else "nothing",
            expected=f"a folder with {layout}",
            remedy="check dataset_dir and its spelling",
        )
    try:
        visible = sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
    except OSError as error:
        raise InputFileError(
            "the dataset folder cannot be read",
            file=folder,
            found=error.strerror,
            expected=f"a folder with {layout}",
            remedy="check the folder's permissions and its disk",
        ) from error
    return folder, [folder] if is_subject(folder) else visible


def no_subject(folder: Path, places: list[Path], missing: str, layout: str) -> InputFileError:
    """Error for a dataset without a subject: how many folders were looked at, and what none of them has."""
    return InputFileError(
        "the dataset folder holds no subject",
        file=folder,
        found=f"{len(places)} sub-folders, none with {missing}",
        expected=layout,
        remedy="arrange the files like this, or name another dataset_dir",
    )
