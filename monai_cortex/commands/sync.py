"""Deliver to MLflow what runs could not deliver themselves."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["sync"]


@click.command()
@click.argument("output_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tracking-uri", help="The store, where the journal does not name it: sqlite:///FILE, or a server.")
def sync(output_dir: Path, tracking_uri: str | None) -> None:
    """Deliver the metrics that MLflow did not take while the runs of OUTPUT_DIR went on; nothing is doubled."""
    from monai_cortex.handlers import sync_runs

    done = sync_runs(output_dir, tracking_uri)
    gone = f"; {done.lost} files are gone" if done.lost else ""
    click.echo(f"{done.entries} entries of {done.runs} runs delivered{gone}")
