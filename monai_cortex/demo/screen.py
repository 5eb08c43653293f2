"""What a demonstration prints: where it runs, and tables."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import click
import torch

from monai_cortex import __version__
from monai_cortex.visualize import Table, column_text, is_numeric

__all__ = ["introduce", "readable", "show_table"]


def introduce(output_dir: Path) -> None:
    """Print versions, the device, and where the results go."""
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    click.echo(f"monai_cortex {__version__}, {versions}, {device}; no network used")
    click.echo(f"results go to {output_dir}\n")


def show_table(table: Table) -> None:
    """Print a table: words to the left, numbers to the right, its caption below."""
    values = [[row[number] for row in table.rows] for number in range(len(table.headings))]
    columns = [column_text(column) for column in values]
    widths = [max(map(len, (name, *texts))) for name, texts in zip(table.headings, columns, strict=True)]
    sides = [str.rjust if is_numeric(column) else str.ljust for column in values]
    for row in [table.headings, ["-" * width for width in widths], *zip(*columns, strict=True)]:
        cells = [side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
    click.echo(f"{table.caption}\n" if table.caption else "")


def readable(path: Path) -> Path:
    """The path below the working folder where it is there: what a user would type."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
