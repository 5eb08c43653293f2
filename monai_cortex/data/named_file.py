"""A file with the subject it belongs to, so that every refusal names both."""

from __future__ import annotations

import os
from typing import NoReturn

from monai_cortex.errors import InputFileError

__all__ = ["NamedFile"]


class NamedFile:
    """A file that is being checked.

    Args:
        path: of the file.
        subject: identifier for messages.
    """

    def __init__(self, path: str | os.PathLike[str], subject: str = "") -> None:
        self.path, self.subject = path, subject

    def refuse(
        self, problem: str, found: object, expected: object, remedy: str = "copy or export the file again"
    ) -> NoReturn:
        """Raise an InputFileError of the four parts, which are as in :class:`monai_cortex.errors.CortexError`."""
        raise InputFileError(
            problem, file=self.path, subject=self.subject, found=found, expected=expected, remedy=remedy
        )
