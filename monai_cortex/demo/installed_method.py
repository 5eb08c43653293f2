"""The demonstration of a method that another distribution brings: its bundle on its sample data."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from monai_cortex.data import bundle_folder
from monai_cortex.demo.session import Step, introduce, readable, run_steps, train_for_a_while
from monai_cortex.handlers import ui_line
from monai_cortex.plugins import Method, get

__all__ = ["demonstrate_installed"]


def demonstrate_installed(slug: str, output_dir: Path, steps: int | None = None) -> None:
    """Run ``inference.json`` without arguments; where steps are asked for, train first and use those weights.

    Args:
        slug: name of the method.
        output_dir: folder of the results.
        steps: training steps, for a ``train.json`` with the id ``steps`` and an ``inference.json`` with ``weights``.

    Raises:
        PluginError: there is no such method, or it cannot be used.
        BundleError: its bundle is not found.
        CortexError: a step fails.
    """
    method = cast("Method", get("methods", slug))
    introduce(slug, output_dir)
    click.echo(f"{method.summary}\n")
    configs = readable(Path(bundle_folder(method.bundle)) / "configs")
    infer = ["--config_file", f"{configs}/inference.json", "--output_dir", str(output_dir)]
    if steps is not None:
        weights = train_for_a_while("Train on the sample data", configs, output_dir, steps)
        infer += ["--weights", str(weights)]
    run_steps([Step("Run on the sample data", infer)])
    click.echo(f"report  {(output_dir / 'report.html').resolve()}")
    click.echo(f"runs    {ui_line(output_dir)}")
