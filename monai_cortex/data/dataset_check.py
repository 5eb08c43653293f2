"""Are the inputs of a method usable? One check for each method."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from monai_cortex.errors import ConfigError, CortexError

from .cardiac_pair import check_cardiac
from .cardiac_subjects import cardiac_subjects
from .diffusion import check_diffusion
from .registration_subjects import check_registration, registration_subjects
from .subjects import diffusion_subjects
from .synthesis_subjects import check_synthesis, synthesis_subjects

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
    if slug not in _CHECKS:
        raise ConfigError(
            f"there is no input check for {slug!r}",
            found=slug,
            expected=", ".join(_CHECKS),
            remedy="name one of these methods",
        )
    subjects, check = _CHECKS[slug]
    return len(subjects(dataset_dir, strict=False)), check(dataset_dir)


_CHECKS: dict[str, tuple[Callable[..., Sequence[Any]], Callable[..., list[CortexError]]]] = {
    "shd_deconvolution": (diffusion_subjects, check_diffusion),
    "spherical_diffusion_registration": (registration_subjects, check_registration),
    "cor2vox_synthesis": (synthesis_subjects, check_synthesis),
    "fsdiffreg_cardiac": (cardiac_subjects, check_cardiac),
}
