"""The inputs of a method: which subjects there are, and whether they can be used.

A distribution tells them for its method by an entry point of the group ``monai_cortex.inputs``: its name is that of the
method, its object a :class:`DatasetInputs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from monai_cortex.errors import ConfigError, CortexError, InputFileError, PluginError, ResourceError

from .cardiac_pair import read_cardiac_pair
from .cardiac_subjects import cardiac_subjects
from .diffusion import read_diffusion_inputs
from .memory import OPTION
from .offered import offered, offered_names
from .registration_subjects import read_registration_inputs, registration_inputs
from .subjects import diffusion_subjects
from .synthesis_subjects import read_synthesis_subject, synthesis_subjects

__all__ = ["DatasetInputs", "check_dataset", "dataset_subjects"]


class DatasetInputs(NamedTuple):
    """How the inputs of a method are found and read.

    Attributes:
        subjects: lists the subjects of a dataset folder. It is called with the folder and, by keyword, ``strict``:
            False lists those with missing files too, so that one of them does not cost the others.
        read: reads all files of one subject, and raises a CortexError if it cannot be used.
    """

    subjects: Callable[..., Sequence[Any]]
    read: Callable[[Any], object]


def dataset_subjects(slug: str, dataset_dir: str | os.PathLike[str], *, strict: bool = True) -> list[Any]:
    """List the subjects of a data set as a method reads it.

    Args:
        slug: name of the method.
        dataset_dir: folder of subjects.
        strict: False lists those with missing files too, so that one of them does not cost the others.

    Returns:
        Items sorted by subject: ``subject``, and paths of its files, some of them nested.

    Raises:
        ConfigError: nobody tells the inputs of such a method.
        PluginError: two distributions do, or the one that does cannot be used.
        InputFileError: the folder is missing or holds no subject, or two subjects have one name.
    """
    return list(_inputs(slug).subjects(dataset_dir, strict=strict))


def check_dataset(slug: str, dataset_dir: str | os.PathLike[str]) -> tuple[int, list[CortexError]]:
    """Check the inputs of a method.

    Args:
        slug: name of the method.
        dataset_dir: folder of subjects.

    Returns:
        The number of subjects, and at most one error for each.

    Raises:
        ConfigError: nobody tells the inputs of such a method.
        PluginError: two distributions do, or the one that does cannot be used.
        InputFileError: the folder is missing or holds no subject.
    """
    subjects, read = _inputs(slug)
    items = subjects(dataset_dir, strict=False)
    problems = (_problem(read, item) for item in items)
    return len(items), [problem for problem in problems if problem is not None]


def _problem(read: Callable[[Any], object], item: Any) -> CortexError | None:
    try:
        read(item)
    except CortexError as error:
        return error
    except MemoryError as error:
        return ResourceError(
            "the inputs of the subject need more memory than there is",
            subject=str(item["subject"]),
            found=error,
            expected="memory for all of its files",
            remedy=f"crop or resample the images, or give the process more memory; see {OPTION}",
        )
    except Exception as error:  # one subject must not cost the others
        return InputFileError(
            "the inputs of the subject cannot be read",
            subject=str(item["subject"]),
            found=f"{type(error).__name__}: {error}",
            expected="files that can be read",
            remedy="look at the subject's files, and report this as a fault of the program",
        )
    return None


def _inputs(slug: str) -> DatasetInputs:
    if slug in _INPUTS:
        return _INPUTS[slug]
    found = offered("inputs", slug)
    if found is None:
        raise ConfigError(
            f"there is no input check for {slug!r}",
            found=slug,
            expected=", ".join(sorted({*_INPUTS, *offered_names("inputs")})),
            remedy="name one of these methods",
        )
    if not isinstance(found, DatasetInputs):
        raise PluginError(
            f"inputs of {slug!r} cannot be used",
            found=type(found).__name__,
            expected="a monai_cortex.data.DatasetInputs",
            remedy="mend, update or uninstall the distribution that offers them",
        )
    return found


_INPUTS = {
    "shd_deconvolution": DatasetInputs(diffusion_subjects, read_diffusion_inputs),
    "spherical_diffusion_registration": DatasetInputs(registration_inputs, read_registration_inputs),
    "cor2vox_synthesis": DatasetInputs(synthesis_subjects, read_synthesis_subject),
    "fsdiffreg_cardiac": DatasetInputs(cardiac_subjects, read_cardiac_pair),
}
