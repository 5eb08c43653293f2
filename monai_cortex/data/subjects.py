"""Subjects of a dataset folder, as items that transforms read."""

from __future__ import annotations

import os
from pathlib import Path

from monai_cortex.errors import InputFileError

from .input_file import require_file

__all__ = ["diffusion_subjects"]

_REQUIRED = {"dwi": "dwi.nii.gz", "bval": "dwi.bval", "bvec": "dwi.bvec"}
_OPTIONAL = {"mask": "mask.nii.gz", **{f"response_{name}": f"response_{name}.txt" for name in ("wm", "gm", "csf")}}
_LAYOUT = f"<subject>/{' '.join(_REQUIRED.values())} [{' '.join(_OPTIONAL.values())}]"


def diffusion_subjects(dataset_dir: str | os.PathLike[str], *, strict: bool = True) -> list[dict[str, str]]:
    """List the subjects of a dataset, one for each sub-folder that holds ``dwi.nii.gz``.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        strict: False lists subjects without gradients too, so that one of them does not cost the others; reading
            them then raises.

    Returns:
        Items sorted by name: ``subject``, the paths ``dwi``, ``bval`` and ``bvec`` and, where the files are there,
        ``mask``, ``response_wm``, ``response_gm`` and ``response_csf``.

    Raises:
        InputFileError: the folder is missing or holds no subject, or a subject has no gradients.
    """
    folder = Path(dataset_dir)
    if not folder.is_dir():
        raise InputFileError(
            "the dataset folder does not exist",
            file=folder,
            found="a file" if folder.exists() else "nothing",
            expected=f"a folder with {_LAYOUT}",
            remedy="check dataset_dir and its spelling",
        )
    places = [folder] if _holds(folder, "dwi") else sorted(place for place in folder.iterdir() if _visible(place))
    items = [_item(place) for place in places if _holds(place, "dwi")]
    if not items:
        raise InputFileError(
            "the dataset folder holds no subject",
            file=folder,
            found=f"{len(places)} sub-folders, none with {_REQUIRED['dwi']}",
            expected=_LAYOUT,
            remedy="arrange the files like this, or name another dataset_dir",
        )
    for item in items if strict else ():
        for key in ("bval", "bvec"):
            require_file(item[key], item["subject"])
    return items


def _item(place: Path) -> dict[str, str]:
    names = {key: name for key, name in (_REQUIRED | _OPTIONAL).items() if key in _REQUIRED or _holds(place, key)}
    return {"subject": place.resolve().name, **{key: str(place / name) for key, name in names.items()}}


def _holds(place: Path, key: str) -> bool:
    # A link whose content is absent counts: reading it says how to get the content.
    return os.path.lexists(place / (_REQUIRED | _OPTIONAL)[key])


def _visible(place: Path) -> bool:
    return place.is_dir() and not place.name.startswith(".")
