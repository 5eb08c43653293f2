"""Subjects of a dataset folder, as items that transforms read."""

from __future__ import annotations

import os
from pathlib import Path

from monai_cortex.errors import InputFileError

from .bids import BIDS_LAYOUT, bids_scans
from .dataset_folder import no_subject, subject_folders
from .input_file import require_file

__all__ = ["diffusion_subjects"]

_TABLES = {"bval": "dwi.bval", "bvec": "dwi.bvec"}
_MRTRIX = {"gradients": "dwi.b"}
_OPTIONAL = {
    "mask": "mask.nii.gz",
    **{f"response_{name}": f"response_{name}.txt" for name in ("wm", "gm", "csf")},
    **{f"truth_{name}": f"truth_{name}.nii.gz" for name in ("fibers", "wmfod", "tissues")},
}
_TARGET = {"target": "target_wmfod.nii.gz"}
_IMAGE = "dwi.nii.gz"
_LAYOUT = f"<subject>/{_IMAGE} {' '.join(_TABLES.values())} (or dwi.b) [mask.nii.gz response_wm.txt ...]"
_LAYOUTS = f"{_LAYOUT}, or BIDS: {BIDS_LAYOUT}"


def diffusion_subjects(
    dataset_dir: str | os.PathLike[str], *, strict: bool = True, supervised: bool = False
) -> list[dict[str, str]]:
    """List the scans of a dataset: sub-folders that hold ``dwi.nii.gz``, and images that are named as BIDS says.

    Args:
        dataset_dir: folder of subjects, or of a single one; or a BIDS dataset, raw or of derivatives.
        strict: False lists scans without gradients too, so that one of them does not cost the others; reading
            them then raises.
        supervised: list what networks are taught, too, where it is known.

    Returns:
        Items sorted by name: ``subject``, the folder's name or the entities of the BIDS name; the paths ``dwi``,
        ``bval`` and ``bvec``, or ``gradients`` in place of the two where only an MRtrix table (``dwi.b``) is there;
        and, where the files are there, ``mask``, ``response_wm``, ``response_gm``, ``response_csf`` and, of simulated
        subjects, ``truth_fibers``, ``truth_wmfod``, ``truth_tissues`` and, where supervised, ``target``. Of BIDS names
        see :func:`monai_cortex.data.bids.bids_scans`.

    Raises:
        InputFileError: the folder is missing or holds no subject, a subject has no gradients, or two have one name.
    """
    folder, places = subject_folders(dataset_dir, lambda place: _holds(place, _IMAGE), _LAYOUTS)
    items = [_item(place, supervised) for place in places if _holds(place, _IMAGE)] + bids_scans(folder)
    if not items:
        raise no_subject(folder, places, f"{_IMAGE} or BIDS names", _LAYOUTS)
    items.sort(key=lambda item: item["subject"])
    _check_unique(items)
    for item in items if strict else ():
        for key in ("bval", "bvec", "gradients"):
            if key in item:
                require_file(item[key], item["subject"])
    return items


def _item(place: Path, supervised: bool) -> dict[str, str]:
    complete = all(_holds(place, name) for name in _TABLES.values())
    tables = _MRTRIX if not complete and _holds(place, *_MRTRIX.values()) else _TABLES
    optional = _OPTIONAL | (_TARGET if supervised else {})
    names = tables | {key: name for key, name in optional.items() if _holds(place, name)}
    paths = {"dwi": _IMAGE, **names}
    return {"subject": place.resolve().name, **{key: str(place / name) for key, name in paths.items()}}


def _check_unique(items: list[dict[str, str]]) -> None:
    for first, second in zip(items, items[1:], strict=False):
        if first["subject"] == second["subject"]:
            raise InputFileError(
                "two scans have the same name, and their results would overwrite each other",
                file=first["dwi"],
                subject=first["subject"],
                found=f"also {second['dwi']}",
                expected="one name for each scan",
                remedy="rename or remove one of the two",
            )


def _holds(place: Path, name: str) -> bool:
    # A link whose content is absent counts: reading it says how to get the content.
    return os.path.lexists(place / name)
