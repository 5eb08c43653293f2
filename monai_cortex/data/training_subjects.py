"""The subjects of a training set, all of them read once before the first is trained on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai_cortex.errors import ConfigError, CortexError, InputFileError

from .cardiac_pair import read_cardiac_pair
from .cardiac_subjects import cardiac_subjects
from .diffusion import read_diffusion
from .nifti import read_volume
from .response import read_response
from .subjects import diffusion_subjects
from .switch import switched_on
from .synthesis_subjects import read_synthesis_subject, synthesis_subjects

__all__ = ["readable_subjects", "training_subjects"]

_log = logging.getLogger(__name__)


def training_subjects(
    slug: str, dataset_dir: str | os.PathLike[str], strict: bool | str = True, **options: Any
) -> list[dict[str, Any]]:
    """List the subjects of a dataset that can be read.

    Args:
        slug: name of a method that trains on files of subjects.
        dataset_dir: folder of subjects, or of a single one.
        strict: what becomes of the others, see :func:`readable_subjects`.
        options: of the method's own list, such as ``image`` of :func:`monai_cortex.data.synthesis_subjects`.

    Returns:
        Items, as the method's own list has them.

    Raises:
        ConfigError: the method is not known.
        InputFileError: the folder is missing or holds no subject, two have one name, or some cannot be read.
    """
    if slug not in _SUBJECTS:
        raise ConfigError("no such training set", found=slug, expected=", ".join(_SUBJECTS), remedy="name one of these")
    subjects, read = _SUBJECTS[slug]
    return readable_subjects(subjects(dataset_dir, strict=False, **options), read, strict)


def readable_subjects(
    items: Sequence[Mapping[str, Any]], read: Callable[[Any], object], strict: bool | str = True
) -> list[dict[str, Any]]:
    """Read every subject once; each that cannot be read is logged with its file and reason.

    Args:
        items: with the entry ``subject``.
        read: reads all files of an item, and raises where one cannot be used.
        strict: True refuses the whole set, False (or a word of a command line that says so) leaves those out.

    Returns:
        The items that can be read, in their order.

    Raises:
        InputFileError: some cannot be read, and ``strict``; or none can.
    """
    strict, good, errors = switched_on(strict, "strict"), [], []
    for item in items:
        try:
            read(item)
        except CortexError as error:
            errors.append((str(item["subject"]), error))
        else:
            good.append(dict(item))
    for _, problem in errors:
        _log.warning("%s: %s", type(problem).__name__, problem)
    if errors and (strict or not good):
        raise InputFileError(
            f"{len(errors)} of {len(items)} subjects cannot be read",
            found="; ".join(f"{subject}: {problem.args[0]} ({problem.args[1]})" for subject, problem in errors),
            expected="files that can be read",
            remedy="mend or remove them" + (", or add --strict false to train without them" if good else ""),
        )
    if errors:
        left_out = ", ".join(subject for subject, _ in errors)
        _log.warning("training without %d of %d subjects: %s", len(errors), len(items), left_out)
    return good


def _read_scan(item: Mapping[str, str]) -> None:
    read_diffusion(item, "mask")
    for key, path in item.items():
        if key.startswith("response_"):
            read_response(path, item["subject"])
    if "target" in item:
        read_volume(item["target"], ndim=4, subject=item["subject"])


# How the subjects of a method are listed, and what reads all files that training needs of one.
_SUBJECTS: dict[str, tuple[Callable[..., Sequence[Any]], Callable[[Any], object]]] = {
    "shd_deconvolution": (diffusion_subjects, _read_scan),
    "cor2vox_synthesis": (synthesis_subjects, read_synthesis_subject),
    "fsdiffreg_cardiac": (cardiac_subjects, read_cardiac_pair),
}
