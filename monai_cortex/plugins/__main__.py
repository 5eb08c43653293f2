"""List the plugins: ``python -m monai_cortex.plugins [--check]``."""

from __future__ import annotations

import sys

import click

# The table lives in the package under its full name; this module runs as __main__ and must not hold a second one.
from monai_cortex.plugins import available

__all__ = ["main"]


@click.command()
@click.option("--check", is_flag=True, help="Load every plugin; exit with 1 if one is broken.")
def main(check: bool) -> None:
    """List kind, name, target, distribution and version of every plugin. Without --check nothing is imported."""
    plugins = available(check=check)
    header = ("kind", "name", "target", "distribution", "version")
    rows = [header, *((p.kind, p.name, p.target, p.source, p.version) for p in plugins)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    reasons = ["", *(p.reason for p in plugins)]
    for row, reason in zip(rows, reasons, strict=True):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if reason:
            click.echo(f"    broken: {reason}")
    if check and any(reasons):
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m monai_cortex.plugins")
