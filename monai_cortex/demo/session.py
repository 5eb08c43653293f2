"""Commands of the stock client, printed as they are run."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import torch

from monai_cortex import __version__
from monai_cortex.errors import CortexError

__all__ = ["Step", "introduce", "readable", "run_steps", "show_table", "train_for_a_while"]

_EPOCHS = 10


class Step(NamedTuple):
    """One call of ``python -m monai.bundle run``.

    Attributes:
        title: what it does.
        arguments: of the command, after ``run``.
    """

    title: str
    arguments: Sequence[str]


def introduce(name: str, output_dir: Path) -> None:
    """Print what runs, on what, and where the results go."""
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    click.secho(f"monai_cortex {__version__}: {name}", bold=True)
    click.echo(f"Python {platform.python_version()}, torch {torch.__version__}, {device}; no network used")
    click.echo(f"results go to {output_dir}\n")


def run_steps(steps: Sequence[Step]) -> float:
    """Run the steps one after the other, their output below each command.

    Args:
        steps: what to run.

    Returns:
        Wall time in second.

    Raises:
        CortexError: if a step ends with another exit code than 0.
    """
    start = time.perf_counter()
    # Warnings of libraries would bury the progress bars; MONAI's on trusting configs does not apply to our own.
    quiet = {"PYTHONWARNINGS": "ignore", "MONAI_FAIL_ON_DUPLICATE_CONFIG": "1"}
    # Networks this small gain little from a second thread, and lose much where the cores are shared: threads wait
    # for each other in busy loops.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **quiet}
    for step in steps:
        command = [sys.executable, "-m", "monai.bundle", "run", *step.arguments]
        click.secho(step.title, bold=True)
        click.echo("$ " + " ".join(["python", *map(_as_typed, command[1:])]))
        code = subprocess.run(command, check=False, env=environment).returncode
        if code:
            raise CortexError(
                f"the step {step.title!r} failed",
                found=f"exit code {code}",
                expected="0",
                remedy="run the command above with MONAI_CORTEX_DEBUG=1 in the environment",
            )
        click.echo("")
    return time.perf_counter() - start


def train_for_a_while(title: str, configs: Path, output_dir: Path, steps: int, *words: str) -> Path:
    """Train with ``train.json`` for so many steps, in at most ten epochs.

    Args:
        title: what the training is about.
        configs: folder of the bundle's configs.
        output_dir: gets the results.
        steps: of the optimizer.
        words: more of the command.

    Returns:
        The file of weights.
    """
    train = ["--config_file", f"{configs}/train.json", "--output_dir", str(output_dir), *words]
    run_steps([Step(title, [*train, "--steps", str(steps), "--epochs", str(max(1, min(steps, _EPOCHS)))])])
    return output_dir / "model.pt"


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings, the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        click.echo("  ".join(cells))


def readable(path: Path) -> Path:
    """The path below the working folder where it is there: what a user would type."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def _as_typed(word: str) -> str:
    """A word of a command as a person would quote it: a list of files within double quotes."""
    return f'"{word}"' if "'" in word else shlex.quote(word)
