"""Diffusion scans of a BIDS dataset, raw or of derivatives such as QSIPrep's, found by their names."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

__all__ = ["BIDS_LAYOUT", "bids_scans"]

BIDS_LAYOUT = "sub-<label>/[ses-<label>/]dwi/sub-<label>[_...]_dwi.nii.gz with .bval and .bvec, or .b"
_FOLDERS = ("", "ses-*/", "sub-*/", "sub-*/ses-*/")
_IMAGE = "_dwi.nii.gz"
_TABLES = {"bval": ".bval", "bvec": ".bvec", "gradients": ".b"}
_BRAIN = {"desc-brain"}


def bids_scans(dataset_dir: Path) -> list[dict[str, str]]:
    """List the diffusion scans of a BIDS dataset, one for each ``*_dwi.nii.gz``.

    Gradients are inherited as BIDS says: from the nearest folder, up to ``dataset_dir``, with a file whose entities
    are all among the image's; of several such files the one with the most.

    Args:
        dataset_dir: the dataset, or one subject's or session's folder in it.

    Returns:
        Items sorted by name: ``subject``, the image's name without ``_dwi``; paths ``dwi``, ``bval`` and ``bvec``
        (those beside the image if there are none), or ``gradients``, an MRtrix table, if one of the two is missing;
        and ``mask``, the ``*_desc-brain_mask.nii.gz`` beside the image, if there is one.
    """
    images = (path for folder in _FOLDERS for path in dataset_dir.glob(f"{folder}dwi/sub-*{_IMAGE}"))
    return [_item(path, dataset_dir) for path in sorted(images, key=lambda path: path.name)]


def _item(image: Path, dataset_dir: Path) -> dict[str, str]:
    subject = image.name.removesuffix(_IMAGE)
    entities = set(subject.split("_"))
    levels = [level for level in image.parents if level == dataset_dir or dataset_dir in level.parents]
    found = {key: _nearest(levels, "dwi", end, entities) for key, end in _TABLES.items()}
    beside = {key: image.with_name(f"{subject}_dwi{_TABLES[key]}") for key in ("bval", "bvec")}
    if found["gradients"] and not (found["bval"] and found["bvec"]):
        del found["bval"], found["bvec"]
    else:
        found = {key: found[key] or path for key, path in beside.items()}
    of_brain = {name for name in entities if not name.startswith("desc-")} | _BRAIN
    found["mask"] = _nearest([image.parent], "mask", ".nii.gz", of_brain, _BRAIN)
    return {"subject": subject, "dwi": str(image), **{key: str(path) for key, path in found.items() if path}}


def _nearest(
    levels: list[Path], suffix: str, end: str, entities: set[str], needed: Set[str] = frozenset()
) -> Path | None:
    """File in the first folder that has one whose entities, the needed among them, are all among those given."""
    for level in levels:
        parts = {path: path.name.removesuffix(end).split("_") for path in level.glob(f"*{suffix}{end}")}
        fit = [path for path, (*own, last) in parts.items() if last == suffix and needed <= set(own) <= entities]
        if fit:
            return max(fit, key=lambda path: (len(parts[path]), path.name))
    return None
