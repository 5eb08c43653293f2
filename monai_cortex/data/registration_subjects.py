"""Subjects of a dataset for the registration of spheres: their hemispheres together, and what all of them have."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_cortex.errors import InputFileError

from .cortical_subjects import CorticalHemisphere, cortical_subjects, read_cortical_subject
from .surface_names import HEMISPHERES

__all__ = [
    "read_registration_inputs",
    "registration_inputs",
    "registration_subjects",
    "registration_target",
    "shared_features",
]

_log = logging.getLogger(__name__)
_NEEDED, _OPTIONAL = "sulc", ("curv", "inflated.H")


def registration_subjects(
    dataset_dir: str | os.PathLike[str],
    hemispheres: Sequence[str] = HEMISPHERES,
    features: Sequence[str] = (_NEEDED,),
    *,
    strict: bool = True,
) -> list[dict[str, Any]]:
    """List the subjects of a dataset, each with its hemispheres.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        hemispheres: "lh", "rh" or both.
        features: names such as "sulc", "curv" or "inflated.H".
        strict: False lists subjects with missing files too; reading them then raises.

    Returns:
        Items sorted by subject: ``subject``, the folder's name, and ``hemispheres``, the items of
        :func:`monai_cortex.data.cortical_subjects` by hemisphere, in the order asked for.

    Raises:
        InputFileError: the folder is missing or holds no subject, a file is missing, or two files claim one place.
    """
    subjects: dict[str, dict[str, Any]] = {}
    for item in cortical_subjects(dataset_dir, hemispheres, features, strict=strict):
        subjects.setdefault(item["subject"], {})[item["hemisphere"]] = item
    return [{"subject": name, "hemispheres": sides} for name, sides in subjects.items()]


def shared_features(
    dataset_dir: str | os.PathLike[str],
    target_dir: str | os.PathLike[str],
    features: Sequence[str],
    hemispheres: Sequence[str] = HEMISPHERES,
) -> tuple[str, ...]:
    """Those of the wanted features that the target and all subjects have; a warning names the others.

    A hemisphere without a sphere, or without any of the features, is not asked: it fails when it is read, and must not
    cost the others their features.

    Args:
        dataset_dir: folder of subjects, or of a single one.
        target_dir: folder of the fixed subject.
        features: names, in the order of preference.
        hemispheres: "lh", "rh" or both.

    Returns:
        Names in the order given.

    Raises:
        InputFileError: none is left, or a folder is missing or holds no subject.
    """
    wanted = list(dict.fromkeys(features))
    moving, fixed = (cortical_subjects(place, hemispheres, wanted, strict=False) for place in (dataset_dir, target_dir))
    whole = [item for item in moving if os.path.lexists(item["sphere"]) and len(_absent(item)) < len(wanted)]
    lacking = {name: item for item in reversed([*fixed, *(whole or moving)]) for name in _absent(item)}
    places = {name: f"no {name} of {item['subject']} {item['hemisphere']}" for name, item in lacking.items()}
    shared = tuple(name for name in wanted if name not in lacking)
    if not shared:
        first = lacking[wanted[0]]
        raise InputFileError(
            "the target and the subjects share none of the features",
            file=first["features"][wanted[0]],
            subject=first["subject"],
            found=", ".join(places[name] for name in wanted),
            expected=f"one of {', '.join(wanted)} in the target and in every subject",
            remedy="set features to what all of them have, or make the missing files",
        )
    if lacking:
        left_out = [places[name] for name in wanted if name in places]
        _log.warning("features left out, since not all have them: %s", ", ".join(left_out))
    return shared


def registration_target(
    target_dir: str | os.PathLike[str],
    hemispheres: Sequence[str] = HEMISPHERES,
    features: Sequence[str] = (_NEEDED,),
) -> dict[str, CorticalHemisphere]:
    """Read the fixed subject.

    Args:
        target_dir: folder of one subject.
        hemispheres: "lh", "rh" or both.
        features: names, each of which must be there.

    Returns:
        Its hemispheres, by side.

    Raises:
        InputFileError: the folder holds no subject or several, or a file is missing or damaged.
        GeometryError: see :func:`monai_cortex.data.read_cortical_subject`.
    """
    subjects = registration_subjects(target_dir, hemispheres, features)
    if len(subjects) > 1:
        raise InputFileError(
            "the folder of the fixed subject holds several",
            file=target_dir,
            found=", ".join(item["subject"] for item in subjects[:3]),
            expected="one subject, with a surf folder or GIFTI spheres",
            remedy="set target_dir to the folder of one of them",
        )
    return {side: read_cortical_subject(item) for side, item in subjects[0]["hemispheres"].items()}


def registration_inputs(dataset_dir: str | os.PathLike[str], *, strict: bool = True) -> list[dict[str, Any]]:
    """:func:`registration_subjects` with every feature that a registration can take."""
    return registration_subjects(dataset_dir, features=(_NEEDED, *_OPTIONAL), strict=strict)


def read_registration_inputs(item: Mapping[str, Any]) -> None:
    """Read both hemispheres of a subject.

    Sphere and ``sulc`` must be there; ``curv``, ``inflated.H``, other surfaces and labels are read where they are.

    Args:
        item: one of :func:`registration_inputs`.

    Raises:
        CortexError: the first thing that is wrong with its files.
    """
    for half in item["hemispheres"].values():
        gone = _absent(half) - {_NEEDED}
        there = {name: path for name, path in half["features"].items() if name not in gone}
        read_cortical_subject({**half, "features": there})


def _absent(item: Mapping[str, Any]) -> set[str]:
    """Features without a file; a link whose content is absent counts as one: reading it says how to get the content."""
    return {name for name, path in item["features"].items() if not os.path.lexists(Path(path))}
