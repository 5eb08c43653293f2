"""Break the code on purpose, one place at a time, and see whether its tests notice.

python tools/mutations.py            all of tools/mutations.json
python tools/mutations.py bridge     those whose description holds a word
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import click
import pytest

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
_RAN = 64  # added to pytest's code, which is then no process's that ends before pytest does
_FAILED = 1  # pytest's code for tests that ran and failed
_LOG = "mutation.log"
_HEAVY = ("torch", "monai.bundle", "ignite.engine", "numba", "scipy.ndimage", "nibabel", "matplotlib.figure")


class Mutation(NamedTuple):
    """One wrong piece of code.

    Attributes:
        what: is wrong, in words.
        file: by its path in the repository.
        old, new: text that stands once in the file, and what replaces it.
        tests: files or names of tests that have to fail.
    """

    what: str
    file: str
    old: str
    new: str
    tests: list[str]

    def text(self, root: Path) -> str:
        """The file's content with the mutation.

        Raises:
            ValueError: if the old text does not stand there exactly once.
        """
        content = (root / self.file).read_text()
        if (count := content.count(self.old)) != 1:
            raise ValueError(f"{self.what}: {self.old!r} stands {count} times in {self.file}, expected once")
        return content.replace(self.old, self.new)


def read_mutations() -> list[Mutation]:
    """The table of mutations."""
    return [Mutation(**row) for row in json.loads(Path(__file__).with_suffix(".json").read_text())]


def failing(tests: list[str], root: Path, folders: set[str], change: tuple[str, str] | None = None) -> str:
    """What pytest says of tests that fail in a copy of a repository, or nothing.

    Args:
        tests: files or names of tests.
        root: of the repository.
        folders: of it that are copied; all else is linked.
        change: a file by its path in the repository, and its new content.

    Raises:
        RuntimeError: if the tests cannot be run at all.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place)
        _copy(root, copy, folders)
        if change:
            (copy / change[0]).write_text(change[1])
        process = get_context("fork").Process(target=_test, args=(copy, tests))
        process.start()
        process.join()
        words = (copy / _LOG).read_text(errors="replace")
    if process.exitcode not in (_RAN, _RAN + _FAILED):
        raise RuntimeError(f"{' '.join(tests)}: the process ends with {process.exitcode}\n{words[-2000:]}")
    return "" if process.exitcode == _RAN else words


def survivors(mutations: list[Mutation], root: Path = ROOT) -> Iterator[tuple[Mutation, bool]]:
    """Each mutation, and whether its tests pass all the same.

    Raises:
        ValueError: if a mutation does not apply, or tests fail without any.
        RuntimeError: if tests cannot be run at all.
    """
    changes = [(mutation.file, mutation.text(root)) for mutation in mutations]
    folders = {"tests", *(Path(file).parts[0] for file, _ in changes)}
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    if words := failing(tests, root, folders):
        raise ValueError(f"the tests fail without a mutation\n{words[-2000:]}")
    for mutation, change in zip(mutations, changes, strict=True):
        yield mutation, not failing(mutation.tests, root, {"tests", Path(mutation.file).parts[0]}, change)


def _test(place: Path, tests: list[str]) -> None:
    """Run tests in a folder, and exit with pytest's code; what it says goes to a file.

    Asserts are left as they are: pytest would warn of plugins that this process has imported already.
    """
    os.chdir(place)
    os.environ["PYTHONPATH"] = str(place)
    sys.path.insert(0, str(place))
    with open(_LOG, "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        code = pytest.main(["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
    os._exit(_RAN + code)


def _copy(root: Path, place: Path, folders: set[str]) -> None:
    """The folders as copies, with what numba has compiled; all else as links."""
    for path in root.iterdir():
        if path.name in folders:
            shutil.copytree(path, place / path.name)
        elif not path.name.startswith("."):
            (place / path.name).symlink_to(path)


@click.command()
@click.argument("words", nargs=-1)
def main(words: tuple[str, ...]) -> None:
    """Apply the mutations whose description holds one of the WORDS, or all; exit 1 if tests miss one."""
    for name in _HEAVY:  # once, and not in each of the processes that are forked from this one
        import_module(name)
    chosen = [m for m in read_mutations() if not words or any(word in m.what for word in words)]
    missed = 0
    for mutation, survives in survivors(chosen):
        missed += survives
        click.echo(f"{'MISSED' if survives else 'caught'}  {mutation.what} ({mutation.file})")
    click.echo(f"{len(chosen) - missed} of {len(chosen)} caught")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    main()
