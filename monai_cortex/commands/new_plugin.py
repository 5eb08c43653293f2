"""A new plugin, written from a template."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["new_plugin"]


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--output-dir",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Gets the folder NAME.",
)
def new_plugin(name: str, output_dir: Path) -> None:
    """Write a distribution NAME that adds a method: network, transform, bundle with weights, tests.

    NAME is that of distribution, package, method and bundle: letters a to z, digits and underscores.
    """
    from monai_cortex.plugins.scaffold import new_plugin as write

    place = write(name, output_dir)
    click.echo(f"{name} in {place}. What to do next, also in its README.md:")
    for line in (
        f"cd {place}",
        'python -m pip install -e ".[test]"',
        "python -m pytest",
        f"python -m monai_cortex demo {name}",
    ):
        click.echo(f"  {line}")
