"""The error contract: every error names the file, the subject, what was found, what was expected and one remedy."""

from __future__ import annotations

__all__ = [
    "BundleError",
    "CheckpointError",
    "ConfigError",
    "CortexError",
    "GeometryError",
    "GradientError",
    "InputFileError",
    "PluginError",
    "ResourceError",
    "TrainingError",
]


class CortexError(Exception):
    """Base of all errors that a user can cause and mend; printed in at most five lines, without a traceback.

    Args:
        problem: one sentence that says what is wrong.
        file: path of the offending file.
        subject: identifier of the subject that the file belongs to.
        found: what was there, with its value and unit.
        expected: what was needed instead.
        remedy: one thing to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: object = "",
        subject: str = "",
        found: object = "",
        expected: object = "",
        remedy: str = "",
    ) -> None:
        # All parts go into args: a pickled error is rebuilt from them.
        super().__init__(problem, str(file), subject, str(found), str(expected), remedy)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args)

    def __str__(self) -> str:
        problem, file, subject, found, expected, remedy = (_one_line(text) for text in self.args)
        place = file + (f" (subject {subject})" if subject else "") if file else subject and f"subject {subject}"
        rows = {"in": place, "found": found, "expected": expected, "remedy": remedy}
        return "\n".join([problem, *(f"  {name}: {text}" for name, text in rows.items() if text)])


def _one_line(text: str) -> str:
    """Text that prints anywhere: names of files may hold ends of lines, and bytes that are no characters."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))


def _rebuild(kind: type[CortexError], parts: tuple[str, ...]) -> CortexError:
    problem, file, subject, found, expected, remedy = parts
    return kind(problem, file=file, subject=subject, found=found, expected=expected, remedy=remedy)


class InputFileError(CortexError):
    """An input file is missing, damaged or of another kind than its name says."""


class GeometryError(CortexError):
    """Coordinates, affines, meshes or grids contradict each other."""


class GradientError(CortexError):
    """A diffusion gradient table cannot be right, or does not fit its image."""


class CheckpointError(CortexError):
    """Weights are damaged or belong to another network."""


class ConfigError(CortexError):
    """A configuration value cannot be used."""


class BundleError(CortexError):
    """A bundle archive or folder is incomplete, damaged or unsafe."""


class ResourceError(CortexError):
    """Memory or disk space does not suffice."""


class TrainingError(CortexError):
    """Training has diverged and was stopped."""


class PluginError(CortexError, LookupError):
    """A plugin is missing, broken or claimed twice. Never an AttributeError: name lookups would swallow it."""
