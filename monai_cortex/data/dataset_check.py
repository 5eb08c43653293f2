"""Are the inputs of a method usable?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from monai_cortex.errors import ConfigError, CortexError

from .cardiac_pair import read_cardiac_pair
from .cardiac_subjects import cardiac_subjects
from .diffusion import read_diffusion_inputs
from .registration_subjects import read_registration_inputs, registration_inputs
from .subjects import diffusion_subjects
from .synthesis_subjects import read_synthesis_subject, synthesis_subjects

__all__ = ["check_dataset"]


def check_dataset(slug: str, dataset_dir: str | os.PathLike[str]) -> tuple[int, list[CortexError]]:
    """Check the inputs of a method.

    Args:
        slug: name of the method.
        dataset_dir: folder of subjects.

    Returns:
        The number of subjects, and at most one error for each.

    Raises:
        ConfigError: no check is known for the method.
        InputFileError: the folder is missing or holds no subject.
    """
    if slug not in _INPUTS:
        raise ConfigError(
            f"there is no input check for {slug!r}",
            found=slug,
            expected=", ".join(_INPUTS),
            remedy="name one of these methods",
        )
    subjects, read = _INPUTS[slug]
    items = subjects(dataset_dir, strict=False)
    problems = (_problem(read, item) for item in items)
    return len(items), [problem for problem in problems if problem is not None]


def _problem(read: Callable[[Any], object], item: Any) -> CortexError | None:
    try:
        read(item)
    except CortexError as error:
        return error
    return None


# How the subjects of a method are listed, and what reads all files of one.
_INPUTS: dict[str, tuple[Callable[..., Sequence[Any]], Callable[[Any], object]]] = {
    "shd_deconvolution": (diffusion_subjects, read_diffusion_inputs),
    "spherical_diffusion_registration": (registration_inputs, read_registration_inputs),
    "cor2vox_synthesis": (synthesis_subjects, read_synthesis_subject),
    "fsdiffreg_cardiac": (cardiac_subjects, read_cardiac_pair),
}
