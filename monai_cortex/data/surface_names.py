"""Which hemisphere and which quantity a surface file's name tells."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["HEMISPHERES", "gifti_files", "hemisphere_of", "is_gifti"]

HEMISPHERES = ("lh", "rh")
# The first pattern that fits decides: FreeSurfer's `lh.sphere.left_right` is of the left hemisphere.
_PATTERNS = (
    re.compile(r"^(?P<left>lh)\.|^(?P<right>rh)\."),
    re.compile(r"hemi-((?P<left>L)|(?P<right>R))(?=[._]|$)"),
    re.compile(r"(?:^|[._])((?P<left>L)|(?P<right>R))(?=[._])"),
    re.compile(r"(?:^|[._])((?P<left>left|lh)|(?P<right>right|rh))(?=[._]|$)", re.IGNORECASE),
)
_GIFTI = re.compile(r"\.gii(\.gz)?$", re.IGNORECASE)
_KIND = re.compile(r"(\.(?P<kind>surf|shape|func|label))?\.gii(\.gz)?$", re.IGNORECASE)
# Spheres that were registered or rotated already, and surfaces inflated further, are not what plain names ask for.
_DERIVED = re.compile(r"(?:^|[._])(desc-\w*reg|reg|desc-msm\w*|msm\w*|rot|very)(?=[._])", re.IGNORECASE)


def hemisphere_of(path: str | os.PathLike[str]) -> str:
    """Hemisphere that the name of a file tells: "lh", "rh", or "" where it tells none.

    Known are FreeSurfer's ``lh.sphere``, BIDS's ``hemi-L``, Workbench's ``.L.`` and ``_left``.

    Args:
        path: of the file; its folders are not looked at.
    """
    name = Path(path).name
    match = next((match for pattern in _PATTERNS if (match := pattern.search(name))), None)
    if match is None:
        return ""
    return "lh" if match["left"] else "rh"


def is_gifti(path: str | os.PathLike[str]) -> bool:
    """Whether a file is named as GIFTI: ``.gii`` or ``.gii.gz``."""
    return bool(_GIFTI.search(Path(path).name))


def gifti_files(folder: Path, hemisphere: str, quantity: str, kinds: tuple[str, ...]) -> list[Path]:
    """GIFTI files of a folder whose names tell a hemisphere and a quantity, sorted; registered ones are left out.

    Args:
        folder: looked at without its sub-folders.
        hemisphere: "lh" or "rh".
        quantity: as a part of the name between dots or underscores, such as "sphere", "sulc" or "aparc".
        kinds: accepted words before ``.gii``, such as "surf"; a name without such a word is accepted too.
    """
    part = re.compile(rf"(?:^|[._]){re.escape(quantity)}(?=[._])")
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = _KIND.search(path.name)
        wanted = kind is not None and (kind["kind"] or kinds[0]).lower() in kinds
        if wanted and part.search(path.name) and not _DERIVED.search(path.name) and not path.name.startswith("."):
            found += [path] if hemisphere_of(path) == hemisphere else []
    return found
